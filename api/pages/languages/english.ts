/** What customers read, in English. The compiler makes sure that the other languages have the same texts. */
export const english = {
  /** BCP 47; amounts and dates are written its way. */
  locale: 'en-US',
  /** The language's own name. */
  name: 'English',
  chooseLanguage: 'Language',
  /** An entry of a timeline, which is stored in English. */
  timelineEntry: (detail: string): string => detail,

  shop: {
    title: 'Order here',
    intro: 'Choose what you want. You pay on the next page.',
    items: 'What we sell',
    nothingOnSale: 'Nothing is on sale right now. Please come back later.',
    each: (price: string) => `${price} each`,
    inStock: 'In stock',
    fewLeft: (count: number) => `Only ${count} left`,
    outOfStock: 'Out of stock',
    quantityOf: (name: string) => `Quantity of ${name}`,
    total: 'Total',
    order: 'Go to payment',
    ordering: 'One moment…',
    problems: {
      heading: 'Your order was not placed',
      nothingChosen: 'Choose at least one item.',
      badQuantity: (most: number) => `Enter a whole number from 0 to ${most}.`,
      tooManyLines: (most: number) => `An order has at most ${most} different items. Place another order for the rest.`,
      shortage: (available: number) =>
        available === 0 ? 'This is out of stock now.' : `Only ${available} are left now. Enter a smaller number.`,
      someShort: 'Some of the items are not in stock in the quantity that you chose.',
      notOnSale: 'Some of the items are no longer on sale. The list shows what is.',
      mixedCurrencies: 'These items are priced in different currencies. Place an order for each currency.',
      tooManyOrders: 'You have too many unpaid orders. Pay or cancel one of them first:',
      tooManyFromHere: 'There are too many unpaid orders from your connection. Try again later.',
      openOrder: (orderId: string) => `Order ${orderId}`,
      changedMeanwhile:
        'You have ordered from this page before. If you want a second order, with what you see below, press the button once more.',
      fromElsewhere: 'Please place your order on this page.',
      away: 'The shop is busy. Press the button once more in a moment: you will get one order, not two.',
      ours: 'Something went wrong on our side. Please try again.',
    },
  },

  payment: {
    steps: ['Ordered', 'Payment', 'Packing', 'Shipped'] as readonly string[],
    progress: 'Progress of your order',
    preparing: {
      headline: 'We are preparing your payment',
      text: 'Your items are reserved for you. The payment link appears here in a moment.',
    },
    waiting: {
      headline: 'Your order is ready for payment',
      text: 'Your items are reserved for you while you pay. Stripe handles your payment; we never see your card number.',
    },
    declined: { headline: 'Your payment did not go through' },
    processing: {
      headline: 'Your payment is being processed',
      text: 'Your bank needs some time to confirm it, sometimes a few days. You don’t need to do anything; your items stay reserved.',
    },
    confirming: {
      headline: 'Thank you, we are confirming your payment',
      text: 'This takes a moment. Your items stay reserved.',
    },
    paid: { headline: 'Thank you, your payment has arrived', text: 'We are getting your order ready to ship.' },
    finished: { headline: 'Your order is on its way', text: 'It is paid and shipped. You can close this page.' },
    cancelling: {
      headline: 'We are cancelling your order',
      text: 'This takes a moment. If a payment has arrived meanwhile, you get it back in full.',
    },
    cancelled: {
      headline: 'This order is cancelled',
      text: 'You owe nothing for it, and we keep none of your money.',
    },
    expired: {
      headline: 'The time to pay is over',
      text: 'If you still want these items, please order them again.',
    },
    refunded: {
      headline: 'Your money is on its way back',
      text: 'Your bank shows it within 5 to 10 working days.',
    },
    refundDidNotArrive: 'Your bank did not accept our refund. We will return the money to you in another way.',
    tooLate: 'It was too late to cancel: the order is already paid.',
    tryAgain: 'The order can’t be cancelled right now. Please try again in a moment.',
    timeLeft: (left: string, until: string) => `You have ${left} left to pay, until ${until}.`,
    minutes: (count: number) => (count === 1 ? '1 minute' : `${count} minutes`),
    hoursAndMinutes: (hours: number, minutes: number) => `${hours} h ${minutes} min`,
    lessThanAMinute: 'less than a minute',
    timeIsUp: 'The time to pay has just ended. If you have paid, your payment counts.',
    trackingNumber: 'Tracking number',
    pay: (total: string) => `Pay ${total}`,
    yourOrder: 'Your order',
    item: 'Item',
    amount: 'Amount',
    total: 'Total',
    refundedAmount: 'Refunded',
    beingRefunded: 'Being refunded',
    cancel: 'Cancel this order',
    cancellingNow: 'Cancelling…',
    history: 'What happened so far',
    order: 'Order',
    toShop: 'Back to the shop',
    offline: 'The shop can’t be reached right now. This page keeps trying.',
  },

  errors: {
    noSuchOrder: {
      title: 'We cannot find this order',
      text: 'Please check that you opened the whole link, or ask the shop that sent it to you.',
      /** If links expire. */
      textOfSignedLink:
        'Please open the whole link that the shop sent you. A link expires after some days; the shop can send you a new one. If you have just paid, your order is safe.',
    },
    notFromHere: { title: 'This request came from another site', text: 'Please cancel on the page of your order.' },
    tooManyRequests: {
      title: 'One moment, please',
      text: 'There were too many requests from your connection. Please wait a minute.',
    },
    unreadable: { title: 'We cannot read this request', text: 'Please open the page again.' },
    away: { title: 'We will be right back', text: 'Your order is safe. Please load this page again in a moment.' },
    ours: {
      title: 'Something went wrong on our side',
      text: 'Your order is safe. Please load this page again in a moment.',
    },
  },
};

export type Texts = typeof english;
