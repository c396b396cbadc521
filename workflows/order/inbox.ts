import { condition } from '@temporalio/workflow';

/**
 * The one way into an order: signal and update handlers and timers only push, and one loop decides. A handler that
 * acted at once would see an order in the middle of a step; a worker that crashes and redoes the step could then decide
 * differently from the row that it has already written.
 */
export class Inbox<Message> {
  readonly #messages: Message[] = [];

  push(message: Message): void {
    this.#messages.push(message);
  }

  get isEmpty(): boolean {
    return this.#messages.length === 0;
  }

  /** Returns the oldest message that matches, without taking it. */
  find<Wanted extends Message>(matches: (message: Message) => message is Wanted): Wanted | undefined {
    return this.#messages.find(matches);
  }

  /** Takes the oldest message; waits for one if there is none. */
  async next(): Promise<Message> {
    let message = this.poll();
    while (message === undefined) {
      await condition(() => this.#messages.length > 0);
      message = this.poll();
    }
    return message;
  }

  /** Takes the oldest message, or undefined if there is none. */
  poll(): Message | undefined {
    return this.#messages.shift();
  }
}
