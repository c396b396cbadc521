/**
 * The sentences that the product itself writes on timelines, where they are stored in English, with their Chinese. What a
 * person has written, such as the reason of a cancel, matches none of them and stays as it was written.
 */
const SENTENCES: readonly (readonly [english: RegExp, chinese: string])[] = [
  [
    /Ordered: (.+); ([^;]+?)\. The stock is held; the payment link is being created\./,
    '已下单：$1；$2。库存已保留，正在创建付款链接。',
  ],
  [/The payment link is ready; the order waits for its payment\./, '付款链接已准备好，等待付款。'],
  [/The payment failed: (.+?)\. Nothing was charged; you can try again\./, '付款失败：$1。没有扣款，可以再试。'],
  [/there are insufficient funds/, '余额不足'],
  [/the card has expired/, '卡已过期'],
  [/the card's security code is wrong/, '卡的安全码不正确'],
  [/it could not be processed just now/, '暂时无法处理'],
  [/the confirmation that the bank asked for was not completed/, '银行要求的确认没有完成'],
  [/the card does not support this kind of purchase/, '这张卡不支持此类消费'],
  [/the card's limit is reached/, '卡的限额已满'],
  [/it was declined/, '付款被拒绝'],
  [/The payment is being processed; the bank has not confirmed it yet\./, '付款正在途中，银行尚未确认。'],
  [/The payment has arrived; the order is being shipped\./, '付款已到账，正在安排发货。'],
  [
    /The payment arrived while the order was being cancelled, so the order is not shipped\./,
    '取消订单时付款到账，因此不再发货。',
  ],
  [/The shipment is delayed; the shop is looking after it\./, '发货有延迟，商店正在处理。'],
  [/The order was shipped\. Tracking number: (.+?)\.(?= |$)/, '订单已发货，运单号：$1。'],
  [/The order cannot be delivered: (.+?)\.(?= |$)/, '订单无法发货：$1。'],
  [/the warehouse cannot ship it/, '仓库无法发货'],
  [/the shipment was called off/, '发货已取消'],
  [/The order was not shipped\./, '订单没有发货。'],
  [/You cancelled this order\./, '您取消了这张订单。'],
  [/The shop cancelled the order\./, '商店取消了订单。'],
  [/The shop refunded the order\./, '商店退了款。'],
  [/The shop lost track of the order, so it was cancelled\./, '商店丢失了这张订单的进度，因此已取消。'],
  [/The order was not paid in time\. Nothing was charged\./, '订单没有按时付款，没有扣款。'],
  [/The payment page was closed by Stripe before anything was paid\./, 'Stripe 在付款之前关闭了付款页。'],
  [/The bank did not pay, so the order was cancelled\. Nothing was charged\./, '银行没有付款，订单已取消，没有扣款。'],
  [
    /The payment service refused the payment, so the order was cancelled: (.+?)\.(?= |$)/,
    '支付服务拒绝了付款，订单已取消：$1。',
  ],
  [/the total is below the minimum that can be paid/, '总额低于可支付的最小金额'],
  [/the total is above the maximum that can be paid/, '总额高于可支付的最大金额'],
  [/the shop has been told/, '商店已得到通知'],
  [/No payment could be created for hours, so the order was cancelled\./, '几个小时都无法创建付款，订单已取消。'],
  [/The payment does not match the order: (.+?)\.(?= |$)/, '付款与订单不符：$1。'],
  [/it was made for another order/, '它属于另一张订单'],
  [/it was made in (live|test) mode/, '它是在 $1 模式下付的'],
  [/(\S+) was paid instead of (\S+?)(?=。|$)/, '付了 $1，应付 $2'],
  [/It was refunded in full\./, '已全额退款。'],
  [/The payment is being refunded\./, '正在退款。'],
  [/The payment was refunded in full\./, '已全额退款。'],
  [/The goods are back in stock\./, '商品已放回库存。'],
  [/Your bank decided the dispute in your favour and returned the payment\./, '您的银行支持了您的争议，并退回了付款。'],
  [/The refund waits until the bank has decided the dispute\./, '退款要等银行对争议作出决定。'],
  [/The refund takes longer than usual; the shop is looking after it\./, '退款比平时慢，商店正在处理。'],
  [/The goods had left already, so the payment was not refunded\./, '商品已经发出，因此没有退款。'],
  [/(\S+) of (\S+) was refunded: (.+?)\.(?= |$)/, '已退 $1（共 $2）：$3。'],
  [
    /The shop has corrected its record of this payment\. Nothing was charged or refunded by that\./,
    '商店更正了这笔付款的记录，没有因此扣款或退款。',
  ],
  [/These goods are back in stock\./, '这些商品已放回库存。'],
  [/(\S+) of (\S+) was refunded\./, '已退 $1（共 $2）。'],
  [/(\S+) was refunded\./, '已退 $1。'],
  [/We received an extra payment of (\S+) and refunded it\./, '我们收到一笔多余的付款 $1，已退回。'],
  [/We received an extra payment of (\S+), and the bank returned it\./, '我们收到一笔多余的付款 $1，银行已退回。'],
];

/** Says an entry of a timeline in Chinese, as far as the product has written it. */
export function timelineInChinese(detail: string): string {
  const translated = SENTENCES.reduce((text, [english, chinese]) => text.replace(english, chinese), detail);
  // Chinese sentences have no space between them.
  return translated.replaceAll(/([。，；：]) +/g, '$1');
}
