//! How the page looks: light and dark, narrow and wide.

/// The page's style sheet.
pub(super) const STYLE: &str = "\
:root{color-scheme:light dark;--text:#1f2328;--weak:#59636e;--page:#fff;--area:#f4f5f7;--line:#d8dde3;\
--good:#15803d;--bad:#b91c1c;--bar:#2563eb;--own:#c2410c;--c0:#2563eb;--c1:#c2410c;--c2:#15803d;--c3:#a21caf}\
@media(prefers-color-scheme:dark){:root{--text:#e3e6ea;--weak:#9aa4af;--page:#14171c;--area:#1e2229;\
--line:#353c46;--good:#4ade80;--bad:#f87171;--bar:#60a5fa;--own:#fb923c;--c0:#60a5fa;--c1:#fb923c;--c2:#4ade80;\
--c3:#e879f9}}\
body{font:15px/1.5 system-ui,sans-serif;max-width:76rem;margin:2rem auto;padding:0 1rem;color:var(--text);\
background:var(--page);overflow-wrap:anywhere}\
h1{font-size:1.6rem;line-height:1.25}h2{margin-top:2.5rem;font-size:1.25rem}\
p,ul{max-width:60rem}code{font-size:.9em}.weak{color:var(--weak)}.good{color:var(--good)}.bad{color:var(--bad)}\
.wide{overflow-x:auto;overflow-wrap:normal}table{border-collapse:collapse}\
td,th{padding:.25rem .9rem .25rem 0;text-align:left;border-bottom:1px solid var(--line);white-space:nowrap}\
th{font-weight:600;color:var(--weak)}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}\
td.text{white-space:normal;min-width:20rem;overflow-wrap:anywhere}\
.steps{list-style:none;margin:0;padding:0}\
.steps li{display:grid;grid-template-columns:17rem 1fr 6rem 17rem;gap:0 1rem;align-items:center;padding:.15rem 0;\
border-bottom:1px solid var(--line)}\
.steps svg{display:block;width:100%;height:.9rem;background:var(--area)}\
.steps .took{text-align:right;font-variant-numeric:tabular-nums}.steps .note{font-size:.87em}\
rect{fill:var(--bar)}rect.failed{fill:var(--bad)}rect.again{fill:var(--weak)}\
line.pause{stroke:var(--weak);stroke-width:1;stroke-dasharray:2;vector-effect:non-scaling-stroke}\
.ends{display:flex;justify-content:space-between;gap:1rem;font-size:.87em;color:var(--weak)}\
.chart{display:grid;grid-template-columns:auto 1fr;gap:.3rem .6rem}\
.chart svg{width:100%;height:16rem;background:var(--area)}\
.scale{display:flex;flex-direction:column;justify-content:space-between;text-align:right;font-size:.87em;\
color:var(--weak)}.chart .ends{grid-column:2}\
.curve{fill:none;stroke-width:2;vector-effect:non-scaling-stroke}.dashed{stroke-dasharray:6 4}\
.dot{stroke-width:7;stroke-linecap:round;vector-effect:non-scaling-stroke}\
.grid{stroke:var(--line);vector-effect:non-scaling-stroke}\
.s0{stroke:var(--c0)}.s1{stroke:var(--c1)}.s2{stroke:var(--c2)}.s3{stroke:var(--c3)}\
.legend{display:flex;flex-wrap:wrap;gap:.2rem 1.2rem;list-style:none;padding:0;margin:.6rem 0}\
.legend svg{width:2rem;height:.7rem;margin-right:.4rem}\
.matrix{border-collapse:separate;border-spacing:0}.matrix td,.matrix th{padding:.1rem .35rem}.matrix thead th{vertical-align:bottom}\
.matrix thead .image{writing-mode:vertical-rl;transform:rotate(180deg);text-align:left;padding:.35rem .2rem}\
.matrix td:first-child,.matrix th:first-child{position:sticky;left:0;background:var(--page);padding-left:0}\
.matrix .cell{text-align:center;min-width:1.3rem}.shared{color:var(--bar)}.own{color:var(--own)}\
summary{cursor:pointer}details{margin:.5rem 0}\
@media(max-width:56rem){.steps li{grid-template-columns:1fr auto;padding:.35rem 0}\
.steps .bar{grid-column:1/-1;order:3}.steps .note{grid-column:1/-1;order:4}.steps .what{font-weight:600}}\
@media(max-width:30rem){h1{font-size:1.3rem}.wide{font-size:.87em}.wide td,.wide th{padding-right:.6rem}\
.wide .matrix{font-size:.82em}.wide .matrix td,.wide .matrix th{padding:.1rem}.wide .matrix .cell{min-width:.9rem}\
.wide .matrix .image{padding:.35rem 0}}";
