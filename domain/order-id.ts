/** The form of every order id: 24 lower-case hexadecimal digits. */
export const ORDER_ID = /^[0-9a-f]{24}$/;

/** Whether a text has the form of an order id. */
export function isOrderId(text: unknown): text is string {
  return typeof text === 'string' && ORDER_ID.test(text);
}
