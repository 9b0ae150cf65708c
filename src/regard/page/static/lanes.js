// The timeline: rows of lines and bands over time on one canvas, drawn from the numbers of /timeline.

import { fetchPacked } from "./packed.js";
import { firstFrom } from "./overlay.js";

const GAP = 7, LINES = 34, BAND = 9, NAMED = 16, AXIS = 22, LEFT = 108, NARROW = 560;
const NAME = 15; // above a row, where there is no room beside it

export class Lanes {
  // about: of the page; isShown(lane): whether a row is; seek(timeS): somebody points at a moment; failed(error).
  constructor(canvas, tip, about, { isShown, seek, failed }) {
    Object.assign(this, { canvas, tip, about, isShown, failed, numbers: {}, nowS: 0, asked: 0 });
    this.fromS = 0;
    this.untilS = this.endS = Math.max(about.end_s, 1e-3);
    let isDown = false;
    canvas.addEventListener("pointerdown", (event) => {
      isDown = true;
      canvas.setPointerCapture(event.pointerId);
      seek(this.#timeAt(event));
    });
    canvas.addEventListener("pointermove", (event) => {
      this.#tell(event);
      if (isDown) seek(this.#timeAt(event));
    });
    for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => (isDown = false));
    canvas.addEventListener("pointerleave", () => (tip.hidden = true));
    canvas.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    new ResizeObserver(() => this.refresh()).observe(canvas.parentElement);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  get rows() {
    return this.about.lanes.filter(this.isShown);
  }

  get isWhole() {
    return this.fromS <= 0 && this.untilS >= this.endS;
  }

  // Another part of time, by a factor around a moment; 0 is all of it.
  zoom(factor, aroundS = this.nowS) {
    const longS = factor ? Math.min(Math.max((this.untilS - this.fromS) / factor, 0.2), this.endS) : this.endS;
    const share = (aroundS - this.fromS) / (this.untilS - this.fromS);
    this.#show(aroundS - Math.min(Math.max(share, 0), 1) * longS, longS);
  }

  // The moment that is shown now: the part of time follows it, a page at a time.
  now(timeS) {
    this.nowS = timeS;
    const longS = this.untilS - this.fromS;
    if (timeS < this.fromS || timeS > this.untilS) this.#show(timeS - 0.1 * longS, longS);
    else if (this.still) this.#mark();
  }

  // Asks for the numbers of what is seen, and draws them when they are there.
  async refresh() {
    const mine = ++this.asked, { fromS, untilS } = this;
    this.draw();
    const columns = Math.max(50, Math.min(4000, Math.round(this.#layout().wide * devicePixelRatio)));
    try {
      const numbers = await fetchPacked(`/timeline?from=${fromS}&until=${untilS}&columns=${columns}`);
      if (mine === this.asked) this.numbers = numbers;
      this.draw();
    } catch (error) {
      this.failed(error);
    }
  }

  #show(fromS, longS) {
    this.fromS = Math.min(Math.max(fromS, 0), this.endS - longS);
    this.untilS = this.fromS + longS;
    this.draw();
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => this.refresh(), 60);
  }

  #wheel(event) {
    const sideways = event.shiftKey ? event.deltaY || event.deltaX : event.deltaX;
    if (event.ctrlKey || event.metaKey) this.zoom(1.0015 ** -event.deltaY, this.#timeAt(event));
    else if (Math.abs(sideways) > (event.shiftKey ? 0 : Math.abs(event.deltaY)) && !this.isWhole) {
      const longS = this.untilS - this.fromS;
      this.#show(this.fromS + (sideways / this.#layout().wide) * longS, longS);
    } else return;
    event.preventDefault();
  }

  #timeAt(event) {
    const { left, wide } = this.#layout();
    const share = (event.clientX - this.canvas.getBoundingClientRect().left - left) / wide;
    return this.fromS + Math.min(Math.max(share, 0), 1) * (this.untilS - this.fromS);
  }

  #layout() {
    const wide = this.canvas.parentElement.clientWidth, isNarrow = wide < NARROW, left = isNarrow ? 0 : LEFT;
    let top = 4;
    const rows = this.rows.map((lane) => {
      const row = { lane, top, at: top + (isNarrow ? NAME : 0), lines: lane.lines.length ? LINES : 0, tops: {} };
      row.bottom = row.at + row.lines + (row.lines ? 2 : 0);
      for (const band of lane.bands) {
        if (band.name in row.tops) continue; // several of one name lie over each other
        row.tops[band.name] = row.bottom;
        row.bottom += tallOf(band) + 2;
      }
      row.bottom = Math.max(row.bottom, row.at + NAMED);
      top = row.bottom + GAP;
      return row;
    });
    return { left, wide: wide - left - 6, rows, high: top + AXIS, isNarrow };
  }

  // Everything, kept as a picture that the moment is marked on.
  draw() {
    const layout = this.#layout(), { left, wide, high } = layout;
    const scale = devicePixelRatio || 1, width = Math.round((left + wide + 6) * scale), height = Math.round(high * scale);
    const style = getComputedStyle(this.canvas);
    const ink = Object.fromEntries(["ink", "dim", "line", "accent"].map((name) => [name, style.getPropertyValue(`--${name}`)]));
    const still = new OffscreenCanvas(width, height), context = still.getContext("2d");
    context.scale(scale, scale);
    context.font = "12px system-ui, sans-serif";
    context.textBaseline = "middle";
    const x = (timeS) => left + ((timeS - this.fromS) / (this.untilS - this.fromS)) * wide;
    drawAxis(context, layout, ink, this.fromS, this.untilS, x);
    for (const row of layout.rows) this.#drawRow(context, row, layout, ink, x);
    Object.assign(this, { still, x, accent: ink.accent, high, scale });
    if (this.canvas.width !== width || this.canvas.height !== height) Object.assign(this.canvas, { width, height });
    this.canvas.style.height = `${high}px`;
    this.#mark();
  }

  #mark() {
    const { canvas, still, scale, high } = this, context = canvas.getContext("2d");
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, canvas.width, canvas.height);
    context.drawImage(still, 0, 0);
    if (this.nowS < this.fromS || this.nowS > this.untilS) return;
    const at = this.x(this.nowS);
    context.scale(scale, scale);
    context.fillStyle = this.accent;
    context.fillRect(at - 1, 0, 2, high - AXIS + 3);
    context.beginPath();
    context.arc(at, high - AXIS + 5, 4, 0, 2 * Math.PI);
    context.fill();
  }

  #drawRow(context, row, { left, wide, isNarrow }, ink, x) {
    const { lane } = row;
    context.fillStyle = ink.dim;
    context.textAlign = "left";
    const middle = isNarrow ? row.top + NAME / 2 : row.lines ? row.at + 8 : (row.at + row.bottom) / 2;
    const name = isNarrow && lane.of !== "recorded" ? `${nameOf(lane)}  ${runOf(this.about, lane)}` : nameOf(lane);
    context.fillText(fitted(context, name, isNarrow ? wide : left - 8), 2, middle);
    if (!isNarrow && lane.of !== "recorded" && row.lines) {
      context.fillText(fitted(context, runOf(this.about, lane), left - 8), 2, middle + 14);
    }
    if (lane.lines.length > 1) drawNames(context, lane.lines, ink, isNarrow ? 40 : 2, isNarrow ? middle : middle + 14);
    context.save();
    context.beginPath();
    context.rect(left, row.top, wide, row.bottom - row.top + 2);
    context.clip();
    if (row.lines) {
      context.fillStyle = ink.line;
      for (const share of [0, 1]) context.fillRect(left, row.at + share * (row.lines - 1), wide, 1);
      const isDown = lane.key === "gaze"; // y grows downwards, as in the picture
      const y = (value) => {
        const share = (value - lane.low) / (lane.high - lane.low);
        return row.at + Math.min(Math.max(isDown ? share : 1 - share, -0.05), 1.05) * (row.lines - 1);
      };
      lane.lines.forEach((line, k) => this.#drawLine(context, `${lane.key}/line/${k}`, inkOf(ink, line.colour), x, y));
    }
    lane.bands.forEach((band, k) => this.#drawBand(context, `${lane.key}/band/${k}`, band, row.tops[band.name], x, left, wide));
    context.restore();
  }

  #drawLine(context, key, colour, x, y) {
    const timeS = this.numbers[`${key}/time_s`], low = this.numbers[`${key}/low`], high = this.numbers[`${key}/high`];
    if (!timeS) return;
    context.strokeStyle = colour;
    context.lineWidth = 1.2;
    context.beginPath();
    let isOn = false;
    for (let k = 0; k < timeS.length; k++) {
      if (Number.isNaN(low[k])) {
        isOn = false;
        continue;
      }
      const at = x(timeS[k]);
      if (isOn) context.lineTo(at, y(low[k]));
      else context.moveTo(at, y(low[k]));
      context.lineTo(isOn || low[k] !== high[k] ? at : at + 0.8, y(high[k]));
      isOn = true;
    }
    context.stroke();
  }

  #drawBand(context, key, band, top, x, left, wide) {
    const tall = tallOf(band);
    const from = this.numbers[`${key}/start_s`], until = this.numbers[`${key}/end_s`], code = this.numbers[`${key}/code`];
    if (!from) return;
    for (let k = 0; k < from.length; k++) {
      const [name, colour] = band.codes[code[k]] ?? ["", "#888"];
      const start = Math.max(x(from[k]), left), long = Math.max(Math.min(x(until[k]), left + wide) - start, 1);
      context.fillStyle = colour;
      context.globalAlpha = name === "lost" ? 0.25 : 1;
      context.fillRect(start, top, long, tall);
      context.globalAlpha = 1;
      if (band.is_named && long > 34) {
        context.fillStyle = bright(colour) ? "#000" : "#fff";
        context.fillText(fitted(context, name, long - 6), start + 4, top + tall / 2 + 0.5);
      }
    }
  }

  // Under the pointer: the time, and what the row says of it.
  #tell(event) {
    const box = this.canvas.getBoundingClientRect(), y = event.clientY - box.top, timeS = this.#timeAt(event);
    const row = this.#layout().rows.find((one) => y >= one.top && y <= one.bottom + GAP / 2);
    const said = [`${timeS.toFixed(2)} s`];
    if (row) said.unshift(row.lane.of === "recorded" ? nameOf(row.lane) : `${runOf(this.about, row.lane)}: ${nameOf(row.lane)}`);
    row?.lane.lines.forEach((line, k) => {
      const timesS = this.numbers[`${row.lane.key}/line/${k}/time_s`] ?? [], at = Math.max(0, firstFrom(timesS, timeS) - 1);
      const value = this.numbers[`${row.lane.key}/line/${k}/low`]?.[at];
      if (value !== undefined && !Number.isNaN(value)) said.push(`${line.name} ${value.toFixed(3)}`);
    });
    row?.lane.bands.forEach((band, k) => {
      const from = this.numbers[`${row.lane.key}/band/${k}/start_s`] ?? [], until = this.numbers[`${row.lane.key}/band/${k}/end_s`];
      const at = firstFrom(from, timeS + 1e-9) - 1;
      if (at >= 0 && until[at] > timeS) {
        const name = band.codes[this.numbers[`${row.lane.key}/band/${k}/code`][at]]?.[0];
        said.push(`${name} ${from[at].toFixed(2)} to ${until[at].toFixed(2)} s`);
      }
    });
    this.tip.textContent = said.join("  ·  ");
    this.tip.hidden = false;
  }
}

function drawAxis(context, { left, wide, high }, ink, fromS, untilS, x) {
  const few = Math.max(2, Math.floor(wide / 90)), rough = (untilS - fromS) / few;
  const step = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600].find((s) => s >= rough) ?? 7200;
  context.textAlign = "center";
  for (let tick = Math.ceil(fromS / step - 1e-9) * step; tick <= untilS + 1e-9; tick += step) {
    context.fillStyle = ink.line;
    context.fillRect(x(tick), 0, 1, high - AXIS + 3);
    context.fillStyle = ink.dim;
    const words = clock(tick, step), half = context.measureText(words).width / 2;
    context.fillText(words, Math.min(Math.max(x(tick), left + half), left + wide - half), high - 9);
  }
}

function tallOf(band) {
  return band.is_named ? NAMED : BAND;
}

// A moment as people say it: 7.5, 1:02, 1:00:05.
export function clock(timeS, step = 1) {
  const digits = step >= 1 ? 0 : step >= 0.1 ? 1 : 2;
  if (timeS < 60) return timeS.toFixed(digits);
  const rounded = Number(timeS.toFixed(digits)), hours = Math.floor(rounded / 3600), minutes = Math.floor(rounded / 60) % 60;
  const seconds = (rounded % 60).toFixed(digits).padStart(digits ? digits + 3 : 2, "0");
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${seconds}` : `${minutes}:${seconds}`;
}

function drawNames(context, lines, ink, left, middle) {
  for (const line of lines) {
    context.fillStyle = inkOf(ink, line.colour);
    context.fillText(line.name, left, middle);
    left += context.measureText(line.name).width + 8;
  }
}

// A colour of its own, or the page's.
function inkOf(ink, colour) {
  return ink[colour] ?? colour;
}

function nameOf(lane) {
  return lane.name.replaceAll("_", " ");
}

function runOf(about, lane) {
  return about.runs.find((run) => run.key === lane.of)?.name ?? "";
}

function fitted(context, words, wide) {
  if (context.measureText(words).width <= wide) return words;
  let kept = words.length;
  while (kept > 1 && context.measureText(`${words.slice(0, kept)}…`).width > wide) kept--;
  return `${words.slice(0, kept)}…`;
}

function bright(colour) {
  const [r, g, b] = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
  return 0.299 * r + 0.587 * g + 0.114 * b > 140;
}
