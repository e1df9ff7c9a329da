"""How a report looks: light and dark, on a phone, on paper."""

STYLE = """\
:root {
  --paper: #f7f7f5; --card: #fff; --ink: #1d2129; --soft: #5d6470; --line: #dfe1e5; --accent: #3a55c9;
  --warn: #fff4d6; --warn-line: #d9a400;
  color-scheme: light dark;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14161a; --card: #1c1f25; --ink: #e8eaee; --soft: #a0a7b4; --line: #31353e; --accent: #9db0ff;
    --warn: #33290f; --warn-line: #b98d14;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 1.5rem 1rem 2.5rem; max-width: 64rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
}
header { margin: 0 .25rem 1rem; }
h1 { margin: 0; font-size: 1.75rem; font-weight: 650; letter-spacing: -.01em; }
h2 { margin: 0 0 .75rem; font-size: 1.2rem; font-weight: 600; }
h1, h2, p, li, dt, dd, th, td, caption, figcaption {
  overflow-wrap: anywhere; unicode-bidi: isolate; white-space: pre-wrap;
}
p { margin: 0 0 .75rem; max-width: 46rem; }
p:last-child { margin-bottom: 0; }
header p { margin: .25rem 0 0; color: var(--soft); }
a { color: var(--accent); }
nav ol { margin: 0 .25rem 1rem; padding: 0; display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; list-style: none; }
section {
  background: var(--card); border: 1px solid var(--line); border-radius: .75rem; padding: 1rem; margin-bottom: 1rem;
}
section > * + * { margin-top: 1rem; }
h2 + * { margin-top: 0; }
.warning {
  background: var(--warn); border-left: .25rem solid var(--warn-line); border-radius: .25rem; padding: .6rem .9rem;
}
dl {
  display: grid; grid-template-columns: repeat(auto-fill, minmax(11rem, 1fr)); gap: .6rem 1.25rem;
  margin-top: 0; margin-bottom: 0;
}
dt { color: var(--soft); font-size: .875rem; }
dd { margin: 0; font-weight: 600; font-variant-numeric: tabular-nums; }
.wide { overflow-x: auto; }
.wide:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
.warning p { margin-bottom: .35rem; }
table { min-width: min(24rem, 100%); }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
caption, figcaption { text-align: left; font-weight: 600; margin-bottom: .4rem; font-size: 1rem; }
th, td {
  padding: .3rem .75rem .3rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line);
  max-width: 24rem;
}
th { color: var(--soft); font-weight: 500; }
/* Words are broken where a page is too narrow for them; numbers never. */
td, th { overflow-wrap: break-word; }
.number { text-align: right; white-space: nowrap; }
figure { margin-left: 0; margin-right: 0; margin-bottom: 0; }
img { display: block; max-width: 100%; height: auto; background: #fff; border-radius: .4rem; }
.note { margin: .5rem 0 0; color: var(--soft); font-size: .875rem; }
footer { margin: 1rem .25rem 0; color: var(--soft); font-size: .875rem; }
@media (max-width: 30rem) {
  body { padding: 1rem .75rem 2rem; }
  section { padding: .75rem; }
}
@media print {
  :root { --paper: #fff; --card: #fff; --ink: #000; --soft: #444; --line: #bbb; --warn: #fff; color-scheme: light; }
  body { max-width: none; padding: 0; font-size: 10pt; }
  section { border: 0; padding: 0; }
  nav { display: none; }
  .wide { overflow: visible; }
  figure, tr, .warning { break-inside: avoid; }
  h2, caption { break-after: avoid; }
}
"""
