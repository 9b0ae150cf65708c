// The numbers of a moment beside the picture.

import { STATES, STATE_COLOURS } from "./overlay.js";
import { lookedAt, sampleAt } from "./moment.js";

const PHASES = ["noise", "fixation", "saccade", "pursuit"];
const EVENTS = [...STATES, "blink"];

// Fills `place` with a table a group: what was recorded, and what each run says.
export function tellFacts(place, moment, about, layers, frame) {
  const groups = [["recorded", recorded(moment, about, frame)]];
  for (const { run, answer, scores } of moment.runs) {
    if (layers.runs[run.key].shown) groups.push([run.name, said(moment, about, answer, scores)]);
  }
  place.replaceChildren(...groups.filter(([, rows]) => rows.length).map(([title, rows]) => table(title, rows)));
}

function recorded(moment, about, frame) {
  const rows = [["time", `${moment.timeS.toFixed(3)} s`], ["frame", `${frame} / ${about.video.frames - 1}`]];
  if (about.gaze) {
    const sample = sampleAt(moment.gaze, moment.timeS);
    rows.push(["gaze", sample ? pixels([sample.x, sample.y], about) : "lost", sample ? STATE_COLOURS[sample.state] : STATE_COLOURS[0]]);
    if (sample) rows.push(["state", STATES[sample.state]]);
  }
  lookedAt(moment).forEach((name, k) => rows.push([k ? "" : "area", name]));
  const { event } = moment;
  if (event) {
    rows.push([EVENTS[event.kind], `${event.startS.toFixed(2)} to ${event.endS.toFixed(2)} s`]);
    const lasts = `${Math.round(1000 * (event.endS - event.startS))} ms`;
    const far = event.amplitudeDeg === null ? "" : `, ${event.amplitudeDeg.toFixed(1)}°`;
    const fast = event.peakDegS === null ? "" : `, ${Math.round(event.peakDegS)}°/s`;
    rows.push(["it lasts", lasts + far + fast]);
  }
  for (const [startS, endS, kind, name] of moment.segments) rows.push([kind === name ? "" : kind, `${name} (${startS.toFixed(1)} to ${endS.toFixed(1)} s)`]);
  for (const face of moment.faces ?? []) rows.push([face.name, looks(face)]);
  return rows;
}

function said(moment, about, answer, scores) {
  const rows = [];
  if (answer?.point) {
    rows.push(["point", pixels(answer.point, about)]);
    const sample = sampleAt(moment.gaze, moment.timeS);
    if (sample) {
      const { width, height } = about.video;
      const away = Math.hypot((answer.point[0] - sample.x) * width, (answer.point[1] - sample.y) * height);
      rows.push(["from gaze", `${Math.round(away)} px`]);
    }
  }
  if (answer?.aheadS > 0.005) rows.push(["told", `${answer.aheadS.toFixed(2)} s ahead`]);
  if (answer?.lateS !== undefined) rows.push(["answered", `${Math.round(1000 * answer.lateS)} ms later`]);
  if (answer?.phase) rows.push(["phase", PHASES[answer.phase.indexOf(Math.max(...answer.phase))]]);
  for (const { label, likeliest } of answer?.actions ?? []) {
    likeliest.forEach(({ name, share }, k) => rows.push([k ? "" : label, `${name}  ${Math.round(100 * share)}%`]));
  }
  for (const face of answer?.faces ?? []) rows.push([face.name, looks(face)]);
  for (const { name, value } of scores ?? []) rows.push([name.replaceAll("_", " "), Number.isNaN(value) ? "-" : value.toFixed(3)]);
  return rows;
}

function looks({ looking }) {
  if (looking === null) return "in view";
  return `${looking >= 0.5 ? "looks" : "looks away"}, ${Math.round(100 * looking)}%`;
}

function pixels([x, y], about) {
  const outside = x < 0 || x > 1 || y < 0 || y > 1 ? ", off screen" : "";
  return `${Math.round(x * about.video.width)}, ${Math.round(y * about.video.height)} px${outside}`;
}

function table(title, rows) {
  const part = document.createElement("section"), heading = document.createElement("h2"), grid = document.createElement("table");
  heading.textContent = title;
  for (const [name, value, colour] of rows) {
    const row = grid.insertRow(), cell = (row.append(document.createElement("th")), row.insertCell());
    row.cells[0].textContent = name;
    cell.textContent = value;
    if (colour) {
      const swatch = document.createElement("span");
      swatch.className = "swatch";
      swatch.style.background = colour;
      cell.prepend(swatch, " ");
    }
  }
  part.append(heading, grid);
  return part;
}
