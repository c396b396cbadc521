/** The one style sheet of the hosted pages, served from /c/style.css. */
export const STYLE = `
:root {
  color-scheme: light;
  --ink: #1b2130;
  --soft: #5a6375;
  --line: #d5dae3;
  --paper: #ffffff;
  --tint: #f5f6fa;
  --accent: #4b45d6;
  --accent-dark: #3833ab;
  --bad: #b3261e;
  --bad-tint: #fdeceb;
  --warn: #6b4700;
  --warn-tint: #fff3d6;
}
*, *::before, *::after { box-sizing: border-box; }
body {
  margin: 0;
  min-height: 100vh;
  color: var(--ink);
  background: var(--tint);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
}
a { color: var(--accent-dark); }
:focus-visible { outline: 3px solid #a5a1ff; outline-offset: 2px; }
.banner { background: var(--warn-tint); color: var(--warn); font-size: .875rem; }
.banner p { margin: 0 auto; padding: .625rem 1.25rem; max-width: 60rem; }
main {
  max-width: 60rem;
  margin: 0 auto;
  padding: 1.25rem 1.25rem 3rem;
  display: grid;
  gap: 1.5rem;
}
.back { display: inline-block; padding: .25rem 0; font-size: .9375rem; text-decoration: none; }
.back:hover { text-decoration: underline; }
h1 { font-size: 1rem; font-weight: 500; color: var(--soft); margin: .75rem 0 0; }
h2 { font-size: 1.125rem; margin: 0 0 1rem; }
.total { font-size: 2.25rem; line-height: 1.2; font-weight: 650; letter-spacing: -.02em; margin: 0 0 1rem; font-variant-numeric: tabular-nums; }
.lines { list-style: none; margin: 0; padding: 0; }
.lines li { display: flex; justify-content: space-between; gap: 1rem; padding: .625rem 0; border-top: 1px solid var(--line); }
.lines .name { overflow-wrap: anywhere; }
.lines small { display: block; color: var(--soft); font-size: .875rem; }
.lines .amount { font-variant-numeric: tabular-nums; white-space: nowrap; }
.lines .sum { font-weight: 600; border-top: 2px solid var(--line); }
.card { background: var(--paper); border: 1px solid var(--line); border-radius: .75rem; padding: 1.25rem; box-shadow: 0 1px 3px rgb(27 33 48 / .06); }
.alert { background: var(--bad-tint); color: var(--bad); border-radius: .5rem; padding: .75rem 1rem; margin: 0 0 1rem; font-weight: 500; }
fieldset { border: 0; margin: 0 0 1rem; padding: 0; min-width: 0; }
legend { padding: 0; font-weight: 600; font-size: .9375rem; margin-bottom: .375rem; }
.choice { display: flex; align-items: center; gap: .625rem; border: 1px solid var(--line); padding: .75rem 1rem; cursor: pointer; }
.choice:first-of-type { border-radius: .5rem .5rem 0 0; }
.choice + .choice { border-top: 0; border-radius: 0 0 .5rem .5rem; }
.choice:has(:checked) { background: #f3f2ff; }
.choice input { accent-color: var(--accent); width: 1.125rem; height: 1.125rem; margin: 0; }
.field { margin-bottom: 1rem; min-width: 0; }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: 0 1rem; align-items: start; }
label.title { display: block; font-weight: 600; font-size: .9375rem; margin-bottom: .25rem; }
input.text {
  width: 100%;
  font: inherit;
  color: inherit;
  background: var(--paper);
  border: 1px solid #8e97a8;
  border-radius: .5rem;
  padding: .625rem .75rem;
  min-height: 2.75rem;
}
input.text[aria-invalid="true"] { border-color: var(--bad); box-shadow: 0 0 0 1px var(--bad); }
input.number { font-variant-numeric: tabular-nums; letter-spacing: .02em; }
.error { color: var(--bad); font-size: .875rem; margin: .25rem 0 0; }
.hint { color: var(--soft); font-size: .875rem; margin: .25rem 0 0; }
.bank { display: none; }
form:has(#method-bank:checked) .bank { display: block; }
form:has(#method-bank:checked) .by-card { display: none; }
button {
  width: 100%;
  min-height: 3rem;
  font: inherit;
  font-weight: 600;
  color: #fff;
  background: var(--accent);
  border: 0;
  border-radius: .5rem;
  padding: .625rem 1rem;
  cursor: pointer;
}
button:hover { background: var(--accent-dark); }
button.second { margin-top: .75rem; color: var(--ink); background: var(--paper); border: 1px solid #8e97a8; }
button.second:hover { background: var(--tint); }
details { margin-top: 1.25rem; font-size: .9375rem; }
summary { cursor: pointer; padding: .25rem 0; font-weight: 600; }
table { width: 100%; border-collapse: collapse; font-size: .875rem; margin-top: .5rem; }
th, td { text-align: left; padding: .375rem .5rem .375rem 0; border-top: 1px solid var(--line); vertical-align: top; }
td.digits { font-variant-numeric: tabular-nums; white-space: nowrap; }
.single { max-width: 32rem; margin: 0 auto; width: 100%; }
.single h1 { font-size: 1.375rem; line-height: 1.3; font-weight: 650; color: var(--ink); margin: 0 0 .5rem; }
@media (min-width: 52rem) {
  main { padding-top: 2.5rem; }
  main.two { grid-template-columns: minmax(0, 1fr) minmax(0, 1.1fr); gap: 3.5rem; align-items: start; }
  .card { padding: 1.75rem; }
}
`;
