// Adds up what was chosen on the shop page, and keeps a form from being sent twice. Without this script the total is told
// on the next page, and a form that is sent twice makes one order.

const total = document.getElementById('total');
const fields = [...document.querySelectorAll('input[data-unit]')];

function showTotal() {
  const chosen = fields.filter(({ value }) => /^\d+$/.test(value) && Number(value) > 0);
  const currencies = new Set(chosen.map(({ dataset }) => dataset.currency));
  total.hidden = currencies.size !== 1;
  if (total.hidden) return;
  const { currency, digits } = chosen[0].dataset;
  const minor = chosen.reduce((sum, { value, dataset }) => sum + Number(value) * Number(dataset.unit), 0);
  const format = { style: 'currency', currency, minimumFractionDigits: digits, maximumFractionDigits: digits };
  total.querySelector('output').textContent = new Intl.NumberFormat(total.dataset.locale, format).format(
    minor / 10 ** digits,
  );
}

document.addEventListener('input', showTotal);
document.addEventListener('submit', () => {
  const button = document.getElementById('order');
  button.disabled = true;
  button.textContent = button.dataset.busy;
});
// Coming back with the browser's button brings the page as it was left.
addEventListener('pageshow', (event) => {
  if (event.persisted) location.reload();
});
if (total !== null) showTotal();
