extension Dashboard {
  static let style = #"""
    :root { --bg: #f6f7f9; --card: #fff; --ink: #1b2430; --dim: #5c6877; --line: #dde2e8;
      --track: #e6eaef; --fold: #2f6fde; --copy: #8db4f5; --final: #1f9d6b; --restore: #8a4fd8;
      --slow: #d97706; --lost: #d22f3d; --flow: #12a5b8; --warn: #b45309; }
    @media (prefers-color-scheme: dark) { :root { --bg: #0f141b; --card: #171e27; --ink: #e5ebf2;
      --dim: #95a3b3; --line: #28323e; --track: #232d39; --fold: #5b95f7; --copy: #2f5699;
      --final: #35c28a; --restore: #b184f5; --slow: #f59e0b; --lost: #f2606c; --flow: #2cc9dd;
      --warn: #f59e0b; } }
    * { box-sizing: border-box; }
    body { margin: 0; background: var(--bg); color: var(--ink);
      font: 14px/1.45 system-ui, "DejaVu Sans", sans-serif; }
    header, main, footer, #banner { max-width: 1360px; margin: 0 auto; padding: 0 16px; }
    header { display: flex; flex-wrap: wrap; align-items: center; gap: 6px 16px;
      padding-top: 12px; }
    h1 { font-size: 20px; margin: 0; letter-spacing: .2px; }
    h2 { font-size: 12px; margin: 0 0 8px; color: var(--dim); text-transform: uppercase;
      letter-spacing: .8px; font-weight: 600; }
    .pill { margin: 0; padding: 2px 10px; border-radius: 99px; background: var(--track);
      font-weight: 600; font-size: 13px; }
    .pill.ok { background: var(--final); color: var(--card); }
    .pill.bad { background: var(--lost); color: var(--card); }
    .pill.warn { background: var(--slow); color: var(--card); }
    #facts { display: flex; flex-wrap: wrap; gap: 2px 18px; margin: 0; }
    #facts div { display: flex; gap: 6px; }
    dt { color: var(--dim); } dd { margin: 0; font-variant-numeric: tabular-nums; }
    #banner { margin-top: 10px; padding: 10px 16px; border-radius: 8px; max-width: 1328px;
      background: var(--lost); color: #fff; font-weight: 600; }
    main { display: grid; gap: 14px; grid-template-columns: minmax(0, 1.15fr) minmax(0, 1fr);
      padding-top: 12px; padding-bottom: 12px; }
    .side { display: grid; gap: 14px; align-content: start; grid-template-rows: auto 1fr; }
    .wide { grid-column: 1 / -1; }
    @media (max-width: 900px) { main { grid-template-columns: minmax(0, 1fr); } }
    section { background: var(--card); border: 1px solid var(--line); border-radius: 10px;
      padding: 12px 14px; min-width: 0; }
    body.stale section { opacity: .45; filter: grayscale(1); }
    svg { display: block; width: 100%; } svg text { fill: var(--ink); }
    #ring { max-height: 640px; }
    #ring .name { font-size: 14px; font-weight: 600; } #ring .sub { font-size: 12px; }
    #ring .sub, #ring .center-sub, #line text { fill: var(--dim); }
    #ring .center { font-size: 46px; font-weight: 700; } #ring .center-sub { font-size: 14px; }
    .track { stroke: var(--track); } .fold { stroke: var(--fold); } .copy { stroke: var(--copy); }
    .final { stroke: var(--final); } .restore { stroke: var(--restore); }
    .slow { stroke: var(--slow); } .arc { fill: none; }
    .node { fill: var(--fold); stroke: var(--card); stroke-width: 3; }
    .node.idle { fill: var(--dim); } .node.spare { fill: var(--card); stroke: var(--dim); }
    .node.draining, .node.cordoned { fill: var(--warn); } .node.straggler { fill: var(--slow); }
    .node.gone { fill: none; stroke: var(--dim); stroke-dasharray: 3 3; }
    .node.lost { fill: var(--lost); }
    .cross { stroke: var(--card); stroke-width: 3; }
    .lost-arc { stroke: var(--lost); stroke-dasharray: 5 6; }
    #ring .lost-name { fill: var(--lost); text-decoration: line-through; }
    .flow { fill: none; stroke: var(--flow); stroke-linecap: round; stroke-dasharray: 1 15;
      animation: flow 1.2s linear infinite; }
    @keyframes flow { from { stroke-dashoffset: 16; } to { stroke-dashoffset: 0; } }
    @media (prefers-reduced-motion: reduce) { .flow { animation: none; } }
    .legend { display: flex; flex-wrap: wrap; gap: 2px 14px; list-style: none; margin: 4px 0 0;
      padding: 0; color: var(--dim); font-size: 12px; }
    .legend i { display: inline-block; width: 12px; height: 12px; border-radius: 3px;
      margin-right: 5px; vertical-align: -1px; }
    .k-fold { background: var(--fold); } .k-copy { background: var(--copy); }
    .k-final { background: var(--final); } .k-restore { background: var(--restore); }
    .k-slow { background: var(--slow); } .k-lost { background: var(--lost); }
    .k-flow { background: var(--flow); }
    #job dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: 2px 14px;
      margin: 8px 0 0; }
    #job dd { overflow-wrap: anywhere; }
    progress { width: 100%; height: 12px; accent-color: var(--fold); }
    .mono { font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: 12.5px; }
    .dim { color: var(--dim); } .bad-text { color: var(--lost); font-weight: 600; }
    .warn-text { color: var(--warn); font-weight: 600; } .ok-text { color: var(--final); }
    .restore-text { color: var(--restore); }
    #line { height: 150px; } #line text { font-size: 11px; } #line .axis { stroke: var(--line); }
    #line .detect { fill: var(--lost); } #line .restoring { fill: var(--restore); }
    #line .caught { fill: var(--final); } #line .mark { stroke-width: 2; }
    #line .m-lost { stroke: var(--lost); fill: var(--lost); }
    #line .m-warn { stroke: var(--slow); fill: var(--slow); }
    #line .m-job { stroke: var(--dim); fill: var(--dim); }
    #line .m-join { stroke: var(--flow); fill: var(--flow); }
    #line text.who { fill: var(--ink); }
    ol { list-style: none; margin: 0; padding: 0; }
    li span, li strong, dd { unicode-bidi: isolate; }
    #story { max-height: 232px; overflow: auto; }
    #story li, #events li { padding: 3px 0; border-top: 1px solid var(--line); }
    #story li:first-child, #events li:first-child { border-top: 0; }
    .when { display: inline-block; min-width: 62px; color: var(--dim);
      font-variant-numeric: tabular-nums; }
    table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; }
    th { text-align: left; font-weight: 600; color: var(--dim); font-size: 12px; }
    th, td { padding: 4px 10px 4px 0; border-bottom: 1px solid var(--line); vertical-align: top;
      white-space: nowrap; }
    td.ranks { white-space: normal; min-width: 200px; }
    .n { text-align: right; } .scroll { max-height: 420px; overflow: auto; }
    footer { color: var(--dim); padding-bottom: 20px; font-size: 12px; }
    a { color: inherit; }
    """#
}
