"""How the pages look: on light and dark, wide and narrow screens, and on paper."""

STYLE = """
:root { color-scheme: light dark; --ground: #fff; --text: #1b1f24; --dim: #667; --line: #d8dce2; }
@media (prefers-color-scheme: dark) { :root { --ground: #15181c; --text: #e6e8eb; --dim: #9aa3ad; --line: #343a42; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 66rem; padding: 2.2rem 1.4rem; background: var(--ground); color: var(--text);
  font: 15px/1.5 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; }
h1 { font-size: 1.7rem; margin: 0 0 .2rem; overflow-wrap: anywhere; }
h2 { font-size: 1.05rem; margin: 2rem 0 .6rem; padding-bottom: .25rem; border-bottom: 1px solid var(--line); }
p { margin: .3rem 0; } .dim { color: var(--dim); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .22rem 1.1rem .22rem 0; vertical-align: top; }
td:last-child:not(.number) { overflow-wrap: anywhere; min-width: 8.5rem; }
th { font-weight: 500; color: var(--dim); } td.number, th.number { text-align: right; white-space: nowrap; }
tbody tr + tr td, tbody tr + tr th { border-top: 1px solid var(--line); }
svg, img { display: block; width: 100%; height: auto; } img { border-radius: 6px; }
.scroll > svg, .scroll > img { min-width: 38rem; }
.key span { display: inline-block; margin-right: 1.2rem; }
.key i { display: inline-block; width: .8em; height: .8em; border-radius: 50%; margin-right: .4em; }
.key i.line { width: 1.3em; height: .2em; border-radius: 0; vertical-align: .25em; }
.lead { font-size: 1.1rem; margin: .9rem 0; max-width: 46rem; } small { font-size: .85em; }
.scores td, .scores th { padding-right: .5rem; } .scores tr > :last-child { padding-right: 0; }
.scores th.number { overflow-wrap: anywhere; white-space: normal; max-width: 7rem; }
.scores td:first-child { max-width: 9.5rem; min-width: 6.5rem; overflow-wrap: break-word; line-height: 1.3; }
@media (min-width: 46rem) {
  .scores td:first-child, .scores th.number { max-width: 18rem; } .scores tr > * + * { padding-left: 1.1rem; }
}
.scroll > table:not(.scores) td:first-child { white-space: nowrap; }
ul { margin: .3rem 0; padding-left: 1.2rem; overflow-wrap: anywhere; } a { color: inherit; }
summary { cursor: pointer; } video { margin: 1.2rem 0 .3rem; }
video { display: block; max-width: 44rem; width: 100%; border-radius: 6px; background: #15181c; }
code { font: 13px/1.5 ui-monospace, "DejaVu Sans Mono", monospace; overflow-wrap: anywhere; }
footer { margin-top: 2.2rem; padding-top: .6rem; border-top: 1px solid var(--line); color: var(--dim); }
.small { max-width: 34rem; }
@media print {
  :root { color-scheme: light; --ground: #fff; --text: #000; --dim: #444; --line: #bbb; }
  body { padding: 0; font-size: 10.5pt; max-width: none; } h2 { break-after: avoid; }
  video { display: none; } svg, img, tr { break-inside: avoid; }
  .scroll > svg, .scroll > img { min-width: 0; } @page { margin: 15mm; }
}
"""
