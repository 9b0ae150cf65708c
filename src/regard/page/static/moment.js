// All that is known about one moment of a recording, and drawing it over the picture.

import { areasAt, drawAreas, holds } from "./areas.js";
import { drawActions, drawDensity, drawFaces, drawGaze, drawPoint, drawTrail, firstFrom, nearest } from "./overlay.js";

const FACE_REACH_S = 1 / 60;
const SCORE_REACH_S = 0.5; // a window's score is that of its middle and of a while around it
const OTHERS_COLOUR = "#ffffff";

// {timeS, gaze, others, event, segments, faces, areas, runs: [{run, answer, scores}]}; null where nothing is known, or not yet.
export function momentOf(timeS, about, chunks, whole) {
  return {
    timeS,
    gaze: about.gaze && track(chunks, "gaze", timeS, about.gaze.interval_s),
    others: about.others.map((_, k) => track(chunks, `other${k}`, timeS, null)),
    event: whole.events && eventAt(whole.events, timeS),
    segments: about.segments.filter(([startS, endS]) => startS <= timeS && timeS < endS),
    faces: whole.faces && facesAt(whole.faces, about.faces, timeS, FACE_REACH_S),
    areas: whole.areas && areasAt(whole.areas, about.areas, timeS),
    runs: about.runs.map((run) => ({
      run,
      answer: run.answers && answerAt(chunks.at(run.key, timeS), run.answers, timeS),
      scores: run.scores && scoresAt(chunks.at(run.scores.key, timeS), run.scores, timeS),
    })),
  };
}

function track(chunks, kind, timeS, intervalS) {
  const found = chunks.around(kind, timeS);
  return found && { ...found, near_s: Math.max(FACE_REACH_S, intervalS ?? 0) };
}

// The measurement of a track nearest to a moment: {x, y, state}; null where it was lost, or none is near.
export function sampleAt(gaze, timeS) {
  const k = gaze ? nearest(gaze.time_s, timeS) : -1;
  if (k < 0 || Math.abs(gaze.time_s[k] - timeS) > gaze.near_s || !gaze.state[k]) return null;
  return { x: gaze.x[k], y: gaze.y[k], state: gaze.state[k] };
}

// Names of the areas that hold the gaze of a moment.
export function lookedAt(moment) {
  const sample = sampleAt(moment.gaze, moment.timeS);
  return sample ? (moment.areas ?? []).filter((area) => holds(area, [sample.x, sample.y])).map(({ name }) => name) : [];
}

// The event that lasts at a moment; two may, a blink and what it interrupts: the one that began last.
function eventAt(events, timeS) {
  const begun = firstFrom(events.start_s, timeS + 1e-6);
  for (let k = begun - 1; k >= Math.max(0, begun - 3); k--) {
    if (events.end_s[k] <= timeS) continue;
    const number = (name) => (Number.isNaN(events[name][k]) ? null : events[name][k]);
    return {
      kind: events.kind[k], startS: events.start_s[k], endS: events.end_s[k],
      amplitudeDeg: number("amplitude_deg"), peakDegS: number("peak_deg_s"),
    };
  }
  return null;
}

// Of each face the row nearest to a moment, as overlay.js draws it.
function facesAt(rows, names, timeS, reachS) {
  const best = new Map();
  for (let k = firstFrom(rows.time_s, timeS - reachS); k < rows.time_s.length && rows.time_s[k] <= timeS + reachS; k++) {
    const far = Math.abs(rows.time_s[k] - timeS), who = rows.who[k];
    if (far < (best.get(who)?.far ?? Infinity)) best.set(who, { far, k });
  }
  return [...best].map(([who, { k }]) => ({
    name: names[who],
    box: [...rows.box.subarray(4 * k, 4 * k + 4)],
    looking: Number.isNaN(rows.looking[k]) ? null : rows.looking[k],
  })).filter((face) => face.box.every(Number.isFinite));
}

// What a model says of a moment: the answer about the nearest one, or whose window's middle is, within its reach.
function answerAt(rows, about, timeS) {
  if (!rows || !rows.time_s.length) return null;
  if (about.people.length) return { faces: facesAt(rows, about.people, timeS, about.reach_s), timeS };
  let k = 0, far = Infinity;
  for (let row = 0; row < rows.time_s.length; row++) {
    const away = Math.abs((rows.begun_s[row] + rows.time_s[row]) / 2 - timeS);
    if (away < far) [k, far] = [row, away];
  }
  if (far > (about.reach_s ?? Infinity)) return null;
  const answer = { timeS: rows.time_s[k], begunS: rows.begun_s[k], aheadS: rows.time_s[k] - rows.seen_until_s[k] };
  if (rows.answered_s) answer.lateS = rows.answered_s[k] - rows.seen_until_s[k];
  if (rows.x && !Number.isNaN(rows.x[k])) answer.point = [rows.x[k], rows.y[k]];
  if (rows.gaze) answer.point = pointAt(rows.gaze, k, answer, timeS);
  if (rows.density) answer.density = map(rows.density, k);
  for (const name of ["attention", "evidence"]) {
    if (rows[name]) answer[name] = map(rows[name], partOf(rows[name], k, answer, timeS));
  }
  answer.actions = Object.entries(about.classes).map(([label, names]) => ({ label, likeliest: likeliest(rows, label, names, k) }));
  if (rows.phase) answer.phase = [...rows.phase.subarray(k * rows.phase.shape[1], (k + 1) * rows.phase.shape[1])];
  return answer;
}

function likeliest(rows, label, names, k) {
  const classes = rows[`class/${label}`], shares = rows[`share/${label}`], few = classes.shape[1];
  return Array.from({ length: few }, (_, n) => ({ name: names[classes[k * few + n]], share: shares[k * few + n] }));
}

function map(levels, number) {
  const [h, w] = levels.shape.slice(-2);
  return { h, w, levels: levels.subarray(number * h * w, (number + 1) * h * w) };
}

// Number of the part of a window in which a moment lies, of all parts of all windows.
function partOf(rows, k, { begunS, timeS: endS }, timeS) {
  const parts = rows.shape[1], along = Math.max(timeS - begunS, 0) / Math.max(endS - begunS, 1e-6);
  return k * parts + Math.min(Math.floor(along * parts), parts - 1);
}

function pointAt(points, k, answer, timeS) {
  const part = partOf(points, k, answer, timeS), place = [points[2 * part], points[2 * part + 1]];
  return place.some(Number.isNaN) ? undefined : place;
}

function scoresAt(rows, about, timeS) {
  const k = rows ? nearest(rows.time_s, timeS) : -1;
  if (k < 0 || Math.abs(rows.time_s[k] - timeS) > SCORE_REACH_S) return null;
  return about.names.map((name) => ({ name, value: rows[name][k] }));
}

// Over the picture, as far as the layers are ticked.
export function drawMoment(surface, moment, layers) {
  const shown = moment.runs.filter(({ run, answer }) => answer && layers.runs[run.key].shown);
  for (const kind of ["density", "attention", "evidence"]) {
    for (const { run, answer } of shown) if (answer[kind] && layers.runs[run.key][kind]) drawDensity(surface, answer[kind]);
  }
  if (moment.areas && layers.areas) drawAreas(surface, moment.areas, sampleAt(moment.gaze, moment.timeS));
  if (layers.others) for (const other of moment.others) drawOther(surface, other, moment.timeS);
  if (moment.gaze && layers.trail) drawTrail(surface, moment.gaze, moment.timeS, layers.trailS);
  if (moment.faces && layers.faces) drawFaces(surface, moment.faces);
  let top = 2 * surface.unit;
  for (const { run, answer } of shown) {
    const state = layers.runs[run.key];
    if (answer.faces && state.faces) drawFaces(surface, answer.faces);
    if (answer.point && state.point) drawPoint(surface, answer.point, state.colour);
    if (answer.actions?.length && state.actions) top = drawActions(surface, answer.actions[0].likeliest, top);
  }
  if (moment.gaze && layers.gaze) drawGaze(surface, moment.gaze, moment.timeS);
}

function drawOther(surface, other, timeS) {
  const sample = sampleAt(other, timeS);
  if (sample) drawPoint({ ...surface, unit: 0.5 * surface.unit }, [sample.x, sample.y], OTHERS_COLOUR, true);
}
