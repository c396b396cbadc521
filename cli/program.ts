import { Argument, Command, InvalidArgumentError, Option } from 'commander';
import { asSentence, DEFAULT_CANCEL_REASON, DEFAULT_REFUND_REASON } from '../api/schemas.ts';
import { isOrderId } from '../domain/order-id.ts';
import { MAX_QUANTITY, type RequestedLine } from '../domain/order-lines.ts';
import { orderStatuses, type OrderStatus } from '../domain/order-status.ts';
import type { Context } from './context.ts';
import { runDoctor } from './doctor/doctor.ts';
import { compareMoney } from './doctor/money.ts';
import { type ExitCode, exitCodes } from './errors.ts';
import { addItem, changeItem, showItemChanges } from './items.ts';
import { cancel, refund, release, showOrder, showOrders } from './orders.ts';
import { type CommandResult, runCommand } from './run-command.ts';
import { changeStock, showStock } from './stock.ts';

const DEFAULT_LIMIT = 20;
const MAX_LIMIT = 1000;
const MAX_ADDED = 1_000_000;
const MAX_PRICE = 99_999_999;
const REASON = 'why, for the list of changes';

type Json = { readonly json?: true };
type NewItemOptions = {
  readonly name: string;
  readonly price: number;
  readonly currency: string;
  readonly stock: number;
  readonly offSale?: true;
  readonly reason?: string;
};
type ItemOptions = {
  readonly name?: string;
  readonly price?: number;
  readonly onSale?: true;
  readonly offSale?: true;
  readonly reason?: string;
};

const EXIT_CODES = `
Exit codes: 0 done, 1 an internal error, 2 wrong usage or settings, 3 no such order or item, 4 the order's state does
not allow it, 5 PostgreSQL or Temporal does not answer, 6 the doctor has found a problem.

By default it works with the running \`npm start\`; set DATABASE_URL, TEMPORAL_ADDRESS and the other settings of
docs/configuration.md to use another installation.`;

/** @param onExit called with the exit code of the command */
export function createProgram(onExit: (code: ExitCode) => void): Command {
  const program = new Command('npm run cli --')
    .description('Manages orders, items and stock, and finds out what is wrong.')
    .addHelpText('after', EXIT_CODES)
    // Before the commands are added, which inherit it.
    .exitOverride()
    .showHelpAfterError('Add --help for usage.')
    .configureHelp({ helpWidth: 110 });

  const execute = async ({ json }: Json, command: (context: Context) => Promise<CommandResult>): Promise<void> => {
    onExit(await runCommand(json === true, command));
  };
  /** Each command can print JSON. */
  const command = (parent: Command, name: string, description: string): Command =>
    parent.command(name).description(description).option('--json', 'print JSON for programs');

  const order = program.command('order').description('Show, list, cancel, refund and release orders.');
  command(order, 'show', 'Show an order with its timeline, and links for operators.')
    .addArgument(orderIdArgument())
    .action((orderId: string, options: Json) => execute(options, (context) => showOrder(context, orderId)));
  command(order, 'list', 'List orders, the newest first.')
    .addOption(new Option('--status <status>', 'only orders in this status').choices(orderStatuses))
    .option('--customer <id>', 'only orders of this customer')
    .option('--limit <number>', `the most orders to list, 1 to ${MAX_LIMIT}`, wholeNumber(1, MAX_LIMIT), DEFAULT_LIMIT)
    .action((options: Json & { status?: OrderStatus; customer?: string; limit: number }) => {
      const { status, customer: customerId, limit } = options;
      return execute(options, (context) => showOrders(context, { status, customerId }, limit));
    });
  command(
    order,
    'cancel',
    'Cancel an unpaid order: its payment link is closed, its stock is released, and a payment that arrives meanwhile is refunded.',
  )
    .addArgument(orderIdArgument())
    .option('--reason <sentence>', 'why, as the customer reads it', asSentence, DEFAULT_CANCEL_REASON)
    .action((orderId: string, options: Json & { reason: string }) =>
      execute(options, (context) => cancel(context, orderId, options.reason)),
    );
  command(
    order,
    'refund',
    'Refund a paid or finished order: all that is left, or a part. A repeat of a full refund changes nothing.',
  )
    .addArgument(orderIdArgument())
    .addOption(
      new Option('--amount <number>', 'only this much, in minor units of the currency, cents for USD')
        .argParser(wholeNumber(1, MAX_PRICE))
        .conflicts(['item', 'restock']),
    )
    .option('--item <item-id=quantity>', 'only these pieces, at the price of the order; may be repeated', addPieces)
    .option('--restock', 'put the goods back into stock', false)
    .option('--reason <sentence>', 'why, as the customer reads it', asSentence, DEFAULT_REFUND_REASON)
    .action(
      (
        orderId: string,
        options: Json & { amount?: number; item?: RequestedLine[]; restock: boolean; reason: string },
      ) => {
        const { amount: amountMinor, item: items, restock, reason } = options;
        const part = items === undefined ? { amountMinor } : { items };
        return execute(options, (context) => refund(context, orderId, { restock, reason, ...part }));
      },
    );
  command(
    order,
    'release',
    'Ship a paid order although its payment is in doubt: disputed, in review, or suspected of fraud. The risk is the shop’s.',
  )
    .addArgument(orderIdArgument())
    .action((orderId: string, options: Json) => execute(options, (context) => release(context, orderId)));

  const item = program.command('item').description('Add and change items. Existing orders are not affected.');
  const onSale = () => new Option('--on-sale', 'it can be ordered').conflicts('offSale');
  const offSale = () => new Option('--off-sale', 'it cannot be ordered; existing orders are not affected');
  const price = wholeNumber(1, MAX_PRICE);
  command(item, 'add', 'Add an item.')
    .argument('<item-id>')
    .requiredOption('--name <name>', 'what customers call it')
    .requiredOption('--price <number>', 'in minor units of the currency, cents for USD', price)
    .requiredOption('--currency <code>', 'three capital letters', currency)
    .option('--stock <number>', 'pieces in stock at the start', wholeNumber(0, MAX_ADDED), 0)
    .addOption(offSale())
    .option('--reason <sentence>', REASON)
    .action((itemId: string, options: Json & NewItemOptions) =>
      execute(options, (context) => {
        const { name, price: unitAmountMinor, currency, stock: available, offSale = false } = options;
        return addItem(context, { itemId, name, unitAmountMinor, currency, available, onSale: !offSale }, options);
      }),
    );
  command(item, 'change', "Change an item's name or price, or take it off sale.")
    .argument('<item-id>')
    .option('--name <name>', 'what customers call it')
    .option('--price <number>', 'in minor units of its currency, cents for USD', price)
    .addOption(onSale())
    .addOption(offSale())
    .option('--reason <sentence>', REASON)
    .action((itemId: string, { name, price: unitAmountMinor, ...options }: Json & ItemOptions) =>
      execute(options, (context) => {
        const onSale = options.onSale ?? (options.offSale === true ? false : undefined);
        return changeItem(context, itemId, { name, unitAmountMinor, onSale }, options);
      }),
    );
  command(item, 'changes', 'Show the changes of an item: what, by whom and why.')
    .argument('<item-id>')
    .action((itemId: string, options: Json) => execute(options, (context) => showItemChanges(context, itemId)));

  const stock = program.command('stock').description('List stock, add new stock, and remove what is lost.');
  command(stock, 'list', 'List all items with what is available and what orders hold.').action((options: Json) =>
    execute(options, showStock),
  );
  for (const [name, sign, description, reason] of [
    ['add', 1, 'Add new stock.', 'New stock.'],
    [
      'remove',
      -1,
      'Remove pieces that are lost, broken or were miscounted; what orders hold can’t be removed.',
      undefined,
    ],
  ] as const) {
    const verb = command(stock, name, description)
      .argument('<item-id>')
      .argument('<quantity>', `pieces, 1 to ${MAX_ADDED}`, wholeNumber(1, MAX_ADDED));
    // A removal without a reason can't be explained later.
    const withReason =
      reason === undefined
        ? verb.requiredOption('--reason <sentence>', REASON)
        : verb.option('--reason <sentence>', REASON, reason);
    withReason.action((itemId: string, quantity: number, options: Json & { reason: string }) =>
      execute(options, (context) => changeStock(context, itemId, sign * quantity, options.reason)),
    );
  }

  command(
    program,
    'doctor',
    'Check the settings and everything that orders depend on, and find orders whose workflow is gone.',
  )
    .option(
      '--repair',
      'recover orders whose workflow is gone: unpaid ones are closed at Stripe and cancelled, paid ones shipped',
      false,
    )
    .option(
      '--money',
      'compare the rows with Stripe instead, and print the balance with each payment that differs',
      false,
    )
    .addOption(
      new Option('--since <time>', 'with --money: 30d, 12h or a date').argParser(pastTime).default(daysAgo(30), '30d'),
    )
    .action((options: Json & { repair: boolean; money: boolean; since: Date }) =>
      execute(options, (context) => (options.money ? compareMoney(context, options) : runDoctor(context, options))),
    );
  return program;
}

function orderIdArgument(): Argument {
  return new Argument('<order-id>', '24 hexadecimal digits').argParser((text) => {
    if (isOrderId(text)) return text;
    throw new InvalidArgumentError('An order id is 24 hexadecimal digits.');
  });
}

/** Returns the exit code for an error of commander's: 0 for --help, else the one for wrong usage. */
export function usageExitCode(error: { readonly exitCode: number }): ExitCode {
  return error.exitCode === 0 ? exitCodes.done : exitCodes.usage;
}

function wholeNumber(smallest: number, largest: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= smallest && value <= largest) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${smallest} to ${largest}.`);
  };
}

/** `prod_1=2`: two pieces of prod_1, beside those of the options before. */
function addPieces(text: string, before: readonly RequestedLine[] = []): RequestedLine[] {
  const [, itemId, quantity] = /^(.+)=(\d+)$/.exec(text) ?? [];
  if (itemId === undefined || quantity === undefined) {
    throw new InvalidArgumentError('It must be an item of the order and a quantity, such as prod_1=2.');
  }
  return [...before, { itemId, quantity: wholeNumber(1, MAX_QUANTITY)(quantity) }];
}

/** A span of time until now, or a date. */
function pastTime(text: string): Date {
  const [, count, unit] = /^(\d{1,5})([dh])$/.exec(text) ?? [];
  if (count !== undefined) return unit === 'h' ? daysAgo(Number(count) / 24) : daysAgo(Number(count));
  const date = new Date(text);
  if (/^\d{4}-/.test(text) && date.getTime() <= Date.now()) return date;
  throw new InvalidArgumentError('It must be days (30d), hours (12h) or a date in the past (2026-11-01).');
}

function daysAgo(days: number): Date {
  return new Date(Date.now() - days * 24 * 3_600_000);
}

function currency(text: string): string {
  if (Intl.supportedValuesOf('currency').includes(text)) return text;
  throw new InvalidArgumentError('It must be a currency code in capital letters, such as USD.');
}
