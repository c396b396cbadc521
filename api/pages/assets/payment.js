// Follows an order on the payment page: polls its status, and updates the page when it changes. Without this script the
// page reloads itself every few seconds.

const FIRST_DELAY_MS = 1000;
const LONGEST_DELAY_MS = 10_000;
const GROWTH = 1.25;
const TIME_LEFT_EVERY_MS = 30_000;

let delayMs = FIRST_DELAY_MS;
let timer;
let etag;
let asking = false;

function currentOrder() {
  return document.getElementById('order');
}

function isEnded() {
  const order = currentOrder();
  return order === null || order.dataset.ended === 'true';
}

async function follow() {
  if (asking || isEnded() || document.hidden) return;
  asking = true;
  try {
    if (await hasNews()) {
      await showNews();
      delayMs = FIRST_DELAY_MS;
    } else {
      delayMs = Math.min(delayMs * GROWTH, LONGEST_DELAY_MS);
    }
    announceConnection(true);
  } catch {
    delayMs = Math.min(delayMs * 2, LONGEST_DELAY_MS);
    announceConnection(false);
  } finally {
    asking = false;
    schedule();
  }
}

function schedule() {
  clearTimeout(timer);
  if (!isEnded() && !document.hidden) timer = setTimeout(follow, delayMs);
}

async function hasNews() {
  const order = currentOrder();
  const response = await fetch(order.dataset.statusUrl, {
    cache: 'no-store',
    headers: etag === undefined ? {} : { 'if-none-match': etag },
  });
  if (response.status === 304) return false;
  if (!response.ok) throw new Error(`Status ${response.status}`);
  etag = response.headers.get('etag') ?? undefined;
  const { data } = await response.json();
  return data.timeline.length > Number(order.dataset.seq);
}

async function loadPage() {
  const response = await fetch(location.href, { cache: 'no-store' });
  if (!response.ok) throw new Error(`Status ${response.status}`);
  return new DOMParser().parseFromString(await response.text(), 'text/html');
}

async function showNews() {
  const page = await loadPage();
  const [shown, news] = [currentOrder(), page.getElementById('order')];
  // A late answer must not replace newer content.
  if (news === null || Number(news.dataset.seq) < Number(shown.dataset.seq)) return;
  const focused = document.activeElement?.id ?? '';
  const isOpen = shown.querySelector('details')?.open ?? false;
  shown.replaceWith(document.adoptNode(news));
  document.title = page.title;
  news.querySelector('details').open = isOpen;
  if (focused !== '') document.getElementById(focused)?.focus();
  document.dispatchEvent(new Event('news'));
  document.getElementById('announcement').textContent = news.querySelector('header').innerText;
}

/** The server says how long is left, so that a wrong clock of this machine makes no difference. */
async function showTimeLeft() {
  if (document.hidden || document.querySelector('.time-left') === null) return;
  const news = (await loadPage().catch(() => undefined))?.querySelector('.time-left');
  const shown = document.querySelector('.time-left');
  if (!news || !shown) return;
  shown.replaceWith(document.adoptNode(news));
  document.dispatchEvent(new Event('news'));
}

function announceConnection(works) {
  const order = currentOrder();
  const note = document.getElementById('offline');
  if (works) {
    note?.remove();
  } else if (note === null && order !== null) {
    const text = document.createElement('p');
    text.id = 'offline';
    text.className = 'alert';
    text.setAttribute('role', 'status');
    text.textContent = order.dataset.offline;
    order.prepend(text);
  }
}

function lookAgain() {
  delayMs = FIRST_DELAY_MS;
  clearTimeout(timer);
  if (!document.hidden) void follow();
}

// The form must not be sent twice.
document.addEventListener('submit', (event) => {
  for (const button of event.target.querySelectorAll('button')) {
    button.disabled = true;
    button.textContent = button.dataset.busy;
  }
});
document.addEventListener('visibilitychange', lookAgain);
// The back button from Stripe's page restores this page from the browser's cache, out of date.
addEventListener('pageshow', (event) => {
  if (event.persisted) location.reload();
});
addEventListener('online', lookAgain);

schedule();
setInterval(showTimeLeft, TIME_LEFT_EVERY_MS);
