/** The whole look of a report. No resource is loaded from anywhere; light and dark follow the reader's system. */
export const PAGE_STYLE = `
:root { color-scheme: light dark; --paper: #fbfaf7; --card: #fff; --ink: #1c2126; --quiet: #5b6570; --line: #dfdcd3; --good: #17714a; --bad: #b3261e; --warn: #8a5a00; --blue: #2b62b0; --violet: #6a4bb0; --track: #ecebe5; }
@media (prefers-color-scheme: dark) { :root { --paper: #14171a; --card: #1c2024; --ink: #e8e6e1; --quiet: #a2abb4; --line: #343a41; --good: #5cc792; --bad: #ff8a80; --warn: #e6b35a; --blue: #7fb0f0; --violet: #b7a1f0; --track: #2a2f35; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 60rem; margin: 0 auto; padding: 1.5rem 1rem 3rem; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0.2rem 0 0.4rem; }
h2 { font-size: 1.1rem; margin: 2.2rem 0 0.6rem; }
p { margin: 0.3rem 0; }
.quiet, .axis, .legend { color: var(--quiet); }
.verdict { border-left: 0.35rem solid var(--good); padding-left: 1rem; }
.verdict.failed { border-color: var(--bad); }
.verdict strong { color: var(--good); }
.verdict.failed strong { color: var(--bad); }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: 0.75rem; margin: 1.5rem 0 0; padding: 0; }
.cards div { background: var(--card); border: 1px solid var(--line); border-radius: 0.5rem; padding: 0.7rem 0.9rem; }
.cards dt { color: var(--quiet); font-size: 0.85rem; }
.cards dd { margin: 0; font-size: 1.25rem; font-weight: 600; white-space: nowrap; font-variant-numeric: tabular-nums; }
.picture { display: block; overflow: visible; }
svg text { font: 13px system-ui, sans-serif; fill: var(--quiet); }
svg .amount { fill: var(--ink); font-variant-numeric: tabular-nums; }
svg .range, .key.range { fill: var(--good); background: var(--good); }
svg .hole, .key.hole { fill: var(--bad); background: var(--bad); }
svg line { stroke-width: 3; }
svg .backup { stroke: var(--blue); } .key.backup { background: var(--blue); }
svg .target { stroke: var(--violet); stroke-dasharray: 5 3; } .key.target { background: var(--violet); }
svg .track { fill: var(--track); }
svg .plan { fill: var(--quiet); } svg .fetch { fill: var(--blue); } svg .replay { fill: var(--violet); } svg .checks { fill: var(--good); }
.legend { display: flex; flex-wrap: wrap; gap: 0.2rem 1.2rem; list-style: none; margin: 0.5rem 0 0; padding: 0; font-size: 0.85rem; }
.key { display: inline-block; width: 0.8rem; height: 0.8rem; border-radius: 2px; margin-right: 0.4rem; vertical-align: -0.05rem; }
.facts { display: grid; grid-template-columns: minmax(8rem, 14rem) 1fr; margin: 0; border-top: 1px solid var(--line); }
.facts dt, .facts dd { margin: 0; padding: 0.45rem 0; border-bottom: 1px solid var(--line); overflow-wrap: anywhere; }
.facts dt { color: var(--quiet); padding-right: 1rem; }
.checks { list-style: none; margin: 0; padding: 0; }
.checks > li { border-top: 1px solid var(--line); padding: 0.6rem 0; overflow-wrap: anywhere; }
.mark { display: inline-block; min-width: 5.2rem; font-weight: 600; }
.mark.passed { color: var(--good); } .mark.failed { color: var(--bad); } .mark.warning { color: var(--warn); } .mark.skipped { color: var(--quiet); }
pre { background: var(--track); border-radius: 0.4rem; padding: 0.6rem 0.8rem; margin: 0.5rem 0 0; overflow-x: auto; font: 0.85rem/1.45 ui-monospace, monospace; max-height: 24rem; }
code { font: 0.85rem ui-monospace, monospace; overflow-wrap: anywhere; }
@media (max-width: 32rem) { .cards { grid-template-columns: 1fr 1fr; } .cards dd { font-size: 1.1rem; } .facts { grid-template-columns: 1fr; } .facts dt { border: 0; padding-bottom: 0; } .facts dd { padding-top: 0; } .mark { display: block; } }
@media print { body { background: #fff; } pre { max-height: none; } }
`;
