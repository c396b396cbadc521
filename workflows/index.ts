/** The workflows that the workers on the task queue `orders` run; the entry of their bundle. */
export { orderLifecycle } from './order-lifecycle.ts';
export { paymentAftercare } from './payment-aftercare.ts';
export { reconcileBooks } from './reconcile-books.ts';
export { recoverOrder } from './recover-order.ts';
export { refundOrder } from './refund-order.ts';
export { refundPart } from './refund-part.ts';
