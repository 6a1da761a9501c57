/* What moves on the page: the timeline, the phases' charts, the search. It draws what the page's data holds, with
   Apache ECharts, and puts text into the page as text alone. */
"use strict";
(() => {
  const began = performance.now();
  const told = JSON.parse(document.getElementById("data").textContent);
  const STATES = ["blocked", "runnable", "kernel", "user"];
  const PHASES = ["wait", "notice", "copy", "completion"];
  const BOUNDARIES = ["ask", "ready", "told", "copy_start", "copy_end", "done"];
  const KINDS = [...STATES, ...PHASES, "data"];
  const MOST_DRAWN = 6000; // rectangles at one time
  const MOST_LANES = 16; // at one time; the others by scrolling
  const MOST_ROWS = 4; // of operations that overlap
  const LEAST_SPAN = 200; // ns
  const MOST_FOUND = 12;
  const FREE = 0.6; // of a lane's height is filled

  // what the page's data holds

  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const doubles = (text) => new Float64Array(bytes(text).buffer);
  const integers = (text) => new Int32Array(bytes(text).buffer);
  const ops = {};
  for (const [name, text] of Object.entries(told.operations)) {
    ops[name] = name.endsWith("_ns") ? doubles(text) : integers(text);
  }
  const count = ops.index.length;
  let begin = told.begin;
  let end = Math.max(told.end, told.begin + LEAST_SPAN);
  for (let row = 0; row < count; row++) {
    begin = Math.min(begin, ops.ask_ns[row]);
    end = Math.max(end, ops.done_ns[row]);
  }

  // words

  function duration(ns) {
    if (ns < 0) return "−" + duration(-ns);
    for (const [scale, unit] of [[1e9, "s"], [1e6, "ms"], [1e3, "µs"]]) {
      if (ns >= 0.9995 * scale) return `${Number((ns / scale).toPrecision(3))} ${unit}`;
    }
    return `${Math.round(ns)} ns`;
  }
  const number = (value) => value.toLocaleString("en-US");
  function tick(ns) {
    // a time on the axis, in the unit of what is shown, so that neighbours differ
    const span = view.to - view.from;
    const [scale, unit] = [[1e9, "s"], [1e6, "ms"], [1e3, "µs"], [1, "ns"]].find(([size]) => span >= 2 * size || size === 1);
    const digits = { maximumFractionDigits: span < 20 * scale ? 1 : 0 };
    return `${((ns - begin) / scale).toLocaleString("en-US", digits)} ${unit}`;
  }
  // where the copy's start is not seen, that phase is the whole receive call
  const called = (phase) => (phase === "copy" ? told.copyName : phase);
  function threadName(tid) {
    if (tid < 0) return "not known";
    if (tid === 0) return "an interrupt on an idle CPU";
    const name = told.names[tid];
    return name === undefined ? `thread ${tid} (not traced)` : `${name || "thread"} (${tid})`;
  }

  // lanes, from the top down: each thread, the operations that it asked for, then the descriptors

  function packed(rows) {
    // rows of operations of one thread so that those in one do not overlap; what is too much goes into the last
    const lanes = [];
    for (const row of rows) {
      let lane = lanes.find((each) => ops.done_ns[each[each.length - 1]] <= ops.ask_ns[row]);
      if (!lane && lanes.length < MOST_ROWS) lanes.push((lane = []));
      (lane || lanes[lanes.length - 1]).push(row);
    }
    return lanes;
  }

  const lanes = [];
  const byThread = new Map();
  [...Array(count).keys()].sort((a, b) => ops.ask_ns[a] - ops.ask_ns[b]).forEach((row) => {
    const rows = byThread.get(ops.tid[row]);
    if (rows) rows.push(row);
    else byThread.set(ops.tid[row], [row]);
  });
  function addOperations(tid) {
    const rows = byThread.get(tid) || [];
    byThread.delete(tid);
    for (const [place, lane] of packed(rows).entries()) {
      lanes.push({ kind: "operations", tid, label: place ? "…" : `operations of ${tid}`, rows: lane });
    }
  }
  for (const thread of told.threads) {
    const label = `${thread.name} ${thread.tid}`;
    lanes.push({ kind: "thread", tid: thread.tid, label, at: doubles(thread.at), end: thread.end, states: bytes(thread.states) });
    addOperations(thread.tid);
  }
  for (const tid of [...byThread.keys()]) addOperations(tid);
  for (const its of told.descriptors) {
    lanes.push({ kind: "descriptor", label: `fd ${its.fd} ${its.file}`, its, at: doubles(its.from), to: doubles(its.to) });
  }
  const laneOf = new Map(); // of an operation
  lanes.forEach((lane, place) => {
    if (lane.kind === "operations") lane.rows.forEach((row) => laneOf.set(row, place));
  });

  // segments of a lane between two times: [from, to, kind, which]

  function firstAfter(values, time, get = (value) => value) {
    let low = 0, high = values.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (get(values[middle]) > time) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  function* segments(lane, since, until) {
    if (lane.kind === "thread") {
      for (let i = Math.max(0, firstAfter(lane.at, since) - 1); i < lane.at.length && lane.at[i] < until; i++) {
        yield [lane.at[i], i + 1 < lane.at.length ? lane.at[i + 1] : lane.end, lane.states[i], -1];
      }
    } else if (lane.kind === "descriptor") {
      for (let i = Math.max(0, firstAfter(lane.at, since) - 1); i < lane.at.length && lane.at[i] < until; i++) {
        if (lane.to[i] > since) yield [lane.at[i], lane.to[i], 8, -1];
      }
    } else {
      const first = Math.max(0, firstAfter(lane.rows, since, (row) => ops.ask_ns[row]) - 1);
      for (let i = first; i < lane.rows.length && ops.ask_ns[lane.rows[i]] < until; i++) {
        const row = lane.rows[i];
        const edges = [ops.ask_ns[row], ops.ready_ns[row], ops.copy_start_ns[row], ops.copy_end_ns[row], ops.done_ns[row]];
        for (let phase = 0; phase < 4; phase++) {
          if (edges[phase + 1] > edges[phase]) yield [edges[phase], edges[phase + 1], 4 + phase, row];
        }
      }
    }
  }

  /* Rectangles [from, to, lane, kind, which, how many]: what is narrower than `least` ns is one with its neighbours, and
     has the kind that took most of it. */
  function reduced(lane, place, since, until, least) {
    const drawn = [];
    let cell = null; // of narrow segments: from, to, time by kind, which, how many
    const close = () => {
      if (!cell) return;
      const kind = cell.times.indexOf(Math.max(...cell.times));
      drawn.push([cell.from, Math.max(cell.to, cell.from + least / 2), place, kind, cell.many === 1 ? cell.which : -1, cell.many]);
      cell = null;
    };
    for (const [from, to, kind, which] of segments(lane, since, until)) {
      if (to <= since) continue;
      if (to - from >= least) {
        close();
        const last = drawn[drawn.length - 1];
        if (last && last[3] === kind && last[4] === which && which < 0 && last[1] >= from && lane.kind !== "descriptor") {
          last[1] = to;
          last[5] += 1;
        } else {
          drawn.push([from, to, place, kind, which, 1]);
        }
        continue;
      }
      if (cell && from - cell.from >= least) close();
      if (!cell) cell = { from, to, times: new Array(KINDS.length).fill(0), which, many: 0 };
      cell.to = Math.max(cell.to, to);
      cell.times[kind] += to - from || 1;
      if (which < 0 || which !== cell.which || !cell.many) cell.many += 1;
    }
    close();
    for (const each of drawn) {
      each[0] = Math.max(each[0], since);
      each[1] = Math.min(each[1], until);
    }
    return drawn;
  }

  // the timeline

  const box = document.getElementById("chart");
  const shownLanes = Math.min(lanes.length, MOST_LANES);
  const view = { from: begin, to: end, lane: 0 };
  let chart = null;
  let colours = {};
  let drawn = [];

  function paint() {
    const style = getComputedStyle(document.documentElement);
    const get = (name) => style.getPropertyValue(`--${name}`).trim();
    colours = { ink: get("ink"), faint: get("faint"), rule: get("rule"), soft: get("soft"), paper: get("paper") };
    colours.kinds = KINDS.map(get);
  }

  function labelWidth() {
    return Math.min(190, Math.max(80, box.clientWidth * 0.28));
  }

  function rectangles() {
    const width = Math.max(200, box.clientWidth - labelWidth() - 30);
    const points = Math.max(1.5, (width * shownLanes * 1.5) / MOST_DRAWN);
    const least = ((view.to - view.from) / width) * points;
    const all = [];
    for (let place = view.lane; place < Math.min(lanes.length, view.lane + shownLanes); place++) {
      for (const each of reduced(lanes[place], place, view.from, view.to, least)) all.push(each);
    }
    return all;
  }

  function drawRectangle(params, api) {
    const from = api.coord([api.value(0), api.value(2)]);
    const to = api.coord([api.value(1), api.value(2)]);
    const height = api.size([0, 1])[1] * FREE;
    const area = params.coordSys;
    const left = Math.max(from[0], area.x);
    const right = Math.min(Math.max(to[0], from[0] + 1), area.x + area.width);
    if (right <= left) return null;
    return {
      type: "rect",
      shape: { x: left, y: from[1] - height / 2, width: right - left, height },
      style: { fill: colours.kinds[api.value(3)] },
    };
  }

  function tip(params) {
    const [from, to, , kind, which, many] = params.value;
    const what = many > 1 ? `${number(many)} pieces, mostly ${KINDS[kind]}` : KINDS[kind];
    const whole = which >= 0 ? `operation #${number(ops.index[which])}\n` : "";
    return `${whole}${what}: ${duration(to - from)}\nfrom ${duration(from - begin)} on`;
  }

  function option() {
    const left = labelWidth();
    return {
      animation: false,
      aria: { enabled: true, label: { description: "Timeline of threads, operations and descriptors; the tables and the search say the same." } },
      grid: { left, right: 26, top: 8, bottom: 62 },
      tooltip: { trigger: "item", renderMode: "richText", formatter: tip, backgroundColor: colours.soft, borderColor: colours.faint, textStyle: { color: colours.ink } },
      xAxis: {
        type: "value", min: begin, max: end, splitNumber: 5,
        axisLabel: { color: colours.faint, hideOverlap: true, formatter: tick },
        axisLine: { lineStyle: { color: colours.faint } },
        splitLine: { lineStyle: { color: colours.rule } },
      },
      yAxis: {
        type: "category", inverse: true, data: lanes.map((lane) => lane.label),
        axisLabel: { color: colours.ink, width: left - 12, overflow: "truncate", interval: 0 },
        axisTick: { show: false }, axisLine: { lineStyle: { color: colours.faint } },
      },
      dataZoom: [
        { id: "time", type: "inside", xAxisIndex: 0, filterMode: "none", zoomOnMouseWheel: "ctrl", moveOnMouseMove: true, moveOnMouseWheel: false, preventDefaultMouseMove: true, minValueSpan: LEAST_SPAN },
        { id: "slider", type: "slider", xAxisIndex: 0, filterMode: "none", height: 22, bottom: 8, minValueSpan: LEAST_SPAN, labelFormatter: (ns) => duration(ns - begin), textStyle: { color: colours.faint }, showDataShadow: false },
        ...(lanes.length > shownLanes
          ? [{ id: "lanes", type: "slider", yAxisIndex: 0, filterMode: "none", width: 14, right: 4, startValue: view.lane, endValue: view.lane + shownLanes - 1, zoomLock: true, showDetail: false, brushSelect: false, showDataShadow: false }]
          : []),
      ],
      series: [{ id: "pieces", type: "custom", renderItem: drawRectangle, encode: { x: [0, 1], y: 2 }, data: [], clip: true, progressive: 0 }],
    };
  }

  function refresh() {
    drawn = rectangles();
    chart.setOption({ series: [{ id: "pieces", data: drawn }] });
    const many = drawn.reduce((sum, each) => sum + each[5], 0);
    document.documentElement.dataset.drawn = String(drawn.length);
    document.documentElement.dataset.span = String(Math.round(view.to - view.from));
    const kept = count < told.count ? ` Of ${number(told.count)} operations the page holds ${number(count)}: the slowest, and every so manieth; counts are of all.` : "";
    const coarse = told.exact ? "" : ` There were ${number(told.changes)} changes: threads are drawn in cells of ${duration(told.cell)}, each as what took most of it.`;
    const left = told.moreThreads || told.moreDescriptors ? ` Not drawn: ${number(told.moreThreads)} threads, ${number(told.moreDescriptors)} descriptors.` : "";
    const reducedTo = many > drawn.length ? `, drawn as ${number(drawn.length)}: zoom in to tell them apart` : "";
    document.getElementById("drawn").textContent =
      `${duration(view.to - view.from)} from ${duration(view.from - begin)} on: ${number(many)} pieces${reducedTo}.${kept}${coarse}${left}`;
  }

  let waiting = false;
  function later() {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      refresh();
    });
  }

  function onZoom() {
    for (const zoom of chart.getOption().dataZoom) {
      if (zoom.id === "time") [view.from, view.to] = [zoom.startValue, zoom.endValue];
      if (zoom.id === "lanes") view.lane = Math.max(0, Math.round(zoom.startValue));
    }
    later();
  }

  function show(from, to) {
    let span = Math.max(LEAST_SPAN, Math.min(to - from, end - begin));
    const start = Math.max(begin, Math.min(from, end - span));
    chart.dispatchAction({ type: "dataZoom", dataZoomId: "time", startValue: start, endValue: start + span });
  }

  function zoom(what) {
    const span = view.to - view.from;
    const middle = (view.from + view.to) / 2;
    if (what === "in") show(middle - span / 4, middle + span / 4);
    if (what === "out") show(middle - span, middle + span);
    if (what === "left") show(view.from - span / 2, view.to - span / 2);
    if (what === "right") show(view.from + span / 2, view.to + span / 2);
    if (what === "all") show(begin, end);
  }

  function showLane(place) {
    if (lanes.length <= shownLanes || (place >= view.lane && place < view.lane + shownLanes)) return;
    const start = Math.max(0, Math.min(place - 2, lanes.length - shownLanes));
    chart.dispatchAction({ type: "dataZoom", dataZoomId: "lanes", startValue: start, endValue: start + shownLanes - 1 });
  }

  // details, as text

  const details = document.getElementById("details");
  function say(...lines) {
    details.replaceChildren(...lines.map((line) => {
      const paragraph = document.createElement("div");
      paragraph.textContent = line;
      return paragraph;
    }));
  }

  function sayOperation(row) {
    const edges = ["ask", "ready", "copy_start", "copy_end", "done"].map((name) => ops[`${name}_ns`][row]);
    const bits = ops.estimated[row];
    const estimated = (name) => (bits >> BOUNDARIES.indexOf(name)) & 1;
    const ends = [["ask", "ready"], ["ready", "copy_start"], ["copy_start", "copy_end"], ["copy_end", "done"]];
    const inside = ops.inside_ns[row] || 0, more = [inside, 0, -inside, 0]; // waits inside a receive are wait, not copy
    const phases = PHASES.map((name, i) => `${called(name)} ${ends[i].some(estimated) ? "~" : ""}${duration(edges[i + 1] - edges[i] + more[i])}`);
    const queued = ops.queued_ns[row] ? ` Its data had been there for ${duration(ops.queued_ns[row])}.` : "";
    say(
      `Operation #${number(ops.index[row])}: ${duration(edges[4] - edges[0])} from ${duration(edges[0] - begin)} on; ${phases.join(", ")}.`,
      `Asked for by ${threadName(ops.tid[row])} on descriptor ${ops.fd[row]}, ${number(ops.bytes[row])} bytes.${queued}`,
      `Woken by: ${threadName(ops.waker[row])}. Sender: ${threadName(ops.sender[row])}.`,
    );
  }

  function goTo(row) {
    const from = ops.ask_ns[row], to = ops.done_ns[row], room = Math.max((to - from) * 0.15, LEAST_SPAN);
    showLane(laneOf.get(row));
    show(from - room, to + room);
    sayOperation(row);
  }

  function onClick(params) {
    const [from, to, place, kind, which, many] = params.value;
    if (which >= 0) sayOperation(which);
    else if (many > 1 && to - from < (view.to - view.from) / 20) show(from - (to - from), to + (to - from));
    else say(`${lanes[place].label}: ${KINDS[kind]}, ${duration(to - from)} from ${duration(from - begin)} on.`);
  }

  // search

  function longerThan(text) {
    const match = /^>\s*([\d.]+)\s*(ns|us|µs|ms|s)?$/.exec(text);
    return match && Number(match[1]) * { ns: 1, us: 1e3, "µs": 1e3, ms: 1e6, s: 1e9 }[match[2] || "ms"];
  }

  function* matches(text) {
    const least = longerThan(text);
    if (least) {
      const rows = [...Array(count).keys()].filter((row) => ops.done_ns[row] - ops.ask_ns[row] > least);
      rows.sort((a, b) => ops.done_ns[b] - ops.ask_ns[b] - (ops.done_ns[a] - ops.ask_ns[a]));
      for (const row of rows) yield [`#${number(ops.index[row])}: ${duration(ops.done_ns[row] - ops.ask_ns[row])}`, () => goTo(row)];
      return;
    }
    const index = /^#?(\d+)$/.exec(text);
    if (index) {
      const row = ops.index.indexOf(Number(index[1]));
      if (row >= 0) yield [`operation #${number(ops.index[row])}`, () => goTo(row)];
    }
    for (const [place, lane] of lanes.entries()) {
      if (lane.label !== "…" && lane.label.toLowerCase().includes(text)) {
        yield [lane.label, () => {
          showLane(place);
          const from = lane.at ? lane.at[0] : ops.ask_ns[lane.rows[0]];
          say(`${lane.label}: line ${place + 1} of ${lanes.length}, from ${duration(from - begin)} on.`);
        }];
      }
    }
  }

  const found = document.getElementById("found");
  function search(text) {
    found.replaceChildren();
    if (!text) return;
    let left = 0;
    for (const [words, go] of matches(text.trim().toLowerCase())) {
      if (found.childElementCount >= MOST_FOUND) {
        left += 1;
        continue;
      }
      const item = document.createElement("li");
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = words;
      button.addEventListener("click", go);
      item.append(button);
      found.append(item);
    }
    const item = document.createElement("li");
    if (left) item.textContent = `… and ${number(left)} more`;
    else if (!found.childElementCount) item.textContent = "nothing found";
    if (item.textContent) found.append(item);
  }

  // the phases' charts

  const charts = [];
  function phaseChart(name, phase, element) {
    const buckets = Object.keys(phase.hist).map(Number).sort((a, b) => a - b);
    const all = [];
    for (let low = buckets[0]; low <= buckets[buckets.length - 1]; low = low ? low * 2 : 1) all.push(low);
    const place = (ns) => all.indexOf(ns < 1 ? 0 : 2 ** Math.floor(Math.log2(ns)));
    const lines = ["p50", "p90", "p99"].map((key) => ({ name: key, xAxis: place(phase[`${key}_ns`]), label: { formatter: key, color: colours.ink, position: key === "p90" ? "insideEndTop" : "end" } }));
    return {
      animation: false,
      aria: { enabled: true, label: { description: `${called(name)}: how many of ${number(phase.count)} operations took how long; median ${duration(phase.p50_ns)}, p90 ${duration(phase.p90_ns)}, p99 ${duration(phase.p99_ns)}.` } },
      title: { text: called(name), textStyle: { color: colours.ink, fontSize: 14 }, left: 0, top: 0 },
      grid: { left: 48, right: 18, top: 42, bottom: 28 },
      tooltip: { trigger: "item", renderMode: "richText", formatter: (its) => `${duration(all[its.dataIndex])} to ${duration(Math.max(1, all[its.dataIndex] * 2))}: ${number(its.value)}`, backgroundColor: colours.soft, borderColor: colours.faint, textStyle: { color: colours.ink } },
      xAxis: { type: "category", data: all.map(duration), axisLabel: { color: colours.faint, hideOverlap: true }, axisLine: { lineStyle: { color: colours.faint } } },
      yAxis: { type: "value", minInterval: 1, splitNumber: 3, axisLabel: { color: colours.faint }, splitLine: { lineStyle: { color: colours.rule } } },
      series: [{ type: "bar", barCategoryGap: "8%", itemStyle: { color: colours.kinds[KINDS.indexOf(name)] }, data: all.map((low) => phase.hist[low] || 0), markLine: { symbol: "none", silent: true, lineStyle: { color: colours.ink, type: "dashed" }, data: lines } }],
    };
  }

  function drawPhases() {
    const place = document.getElementById("phase-charts");
    for (const [name, phase] of Object.entries(told.phases)) {
      const element = document.createElement("div");
      place.append(element);
      const its = echarts.init(element, null, { renderer: "canvas" });
      its.setOption(phaseChart(name, phase, element));
      charts.push([its, name, phase, element]);
    }
  }

  // all of it

  function legend() {
    const place = document.getElementById("legend");
    const named = [["threads:", STATES], ["operations:", PHASES], ["descriptors:", ["data"]]];
    for (const [title, kinds] of named) {
      place.append(`${title} `);
      for (const kind of kinds) {
        const key = document.createElement("span");
        key.className = `key ${kind}`;
        key.textContent = kind === "data" ? "has data" : called(kind);
        place.append(key);
      }
    }
  }

  function repaint() {
    paint();
    chart.setOption(option());
    show(view.from, view.to);
    refresh();
    for (const [its, name, phase, element] of charts) its.setOption(phaseChart(name, phase, element));
  }

  function start() {
    paint();
    legend();
    box.style.height = `${Math.max(10, shownLanes) * 24 + 80}px`;
    chart = echarts.init(box, null, { renderer: "canvas" });
    chart.setOption(option());
    chart.on("datazoom", onZoom);
    chart.on("click", onClick);
    refresh();
    drawPhases();
    document.querySelectorAll("[data-zoom]").forEach((button) => button.addEventListener("click", () => zoom(button.dataset.zoom)));
    document.querySelectorAll("[data-operation]").forEach((button) => button.addEventListener("click", () => {
      const row = ops.index.indexOf(Number(button.dataset.operation));
      if (row < 0) return;
      goTo(row);
      document.getElementById("timeline").scrollIntoView();
      box.focus({ preventScroll: true });
    }));
    document.getElementById("search").addEventListener("input", (event) => search(event.target.value));
    const keys = { "+": "in", "=": "in", "-": "out", "−": "out", ArrowLeft: "left", ArrowRight: "right", 0: "all", Home: "all" };
    box.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || !(event.key in keys)) return;
      event.preventDefault();
      zoom(keys[event.key]);
    });
    new ResizeObserver(() => {
      chart.resize();
      later();
      for (const [its] of charts) its.resize();
    }).observe(document.body);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
    document.documentElement.dataset.readyAt = String(Math.round(performance.now())); // ms from navigation
    document.documentElement.dataset.ready = String(Math.round(performance.now() - began));
  }

  start();
})();
