// Draws on a canvas what is known about a moment, from numbers: recorded gaze with its trail, and models' answers.
// Places are normalised: (0, 0) is the picture's top-left corner, (1, 1) its bottom-right one. Colours are regard.viz's.

export const STATES = ["lost", "tracked", "fixation", "saccade", "pursuit"];
export const STATE_COLOURS = ["#999999", "#f0e442", "#56b4e9", "#e69f00", "#009e73"];
export const MODEL_COLOURS = ["#ff5e3a", "#cc79a7", "#4f9dff", "#a6761d"]; // models in their order, then from the first on
const DENSITY_COLOURS = [[88, 28, 180], [168, 40, 214], [232, 66, 190], [255, 150, 214]];
const LOOKS_COLOUR = "#00c878", AWAY_COLOUR = "#a0a0a0";
const BAR_COLOUR = "#56b4e9", DARK = "rgba(0, 0, 0, 0.7)", BOX = "rgba(0, 0, 0, 0.62)";
const CONTRAST = 0.75, OPACITY = 0.65, LOOKS_FROM = 0.5;
const FADES = 8; // steps in which the trail fades

// A canvas to draw on: its size in its own pixels, and the unit by which lines and letters grow with it.
// `pixels`: how many of them are one on the screen, so that words stay legible however small the canvas is shown.
export function surfaceOf(canvas, pixels = 1) {
  const { width, height } = canvas;
  return { context: canvas.getContext("2d"), width, height, unit: Math.max(Math.min(width, height) / 100, 3.4 * pixels) };
}

// Everything. marks = {time_s, gaze, answers}; shown = {gaze, trail, density, actions, faces: booleans, hidden: a Set of
// models}; colourOf(model) is its colour. Of several densities over each other none could be read: the first one shown.
export function drawMarks(surface, marks, shown, colourOf) {
  const answers = marks.answers.filter((answer) => !shown.hidden.has(answer.model));
  const glow = shown.density && answers.find((answer) => answer.density);
  if (glow) drawDensity(surface, glow.density);
  if (marks.gaze && shown.trail) drawTrail(surface, marks.gaze, marks.time_s);
  if (marks.gaze && shown.gaze) drawGaze(surface, marks.gaze, marks.time_s);
  let top = 2 * surface.unit;
  for (const answer of answers) {
    if (answer.faces && shown.faces) drawFaces(surface, answer.faces);
    if (answer.point) drawPoint(surface, answer.point, colourOf(answer.model));
    if (answer.actions && shown.actions) top = drawActions(surface, answer.actions, top);
  }
}

// gaze = {time_s: [...] increasing, x: [...], y: [...] null or NaN where lost, state: [...] numbers of STATES, near_s}: a ring at
// the measurement nearest to the moment, nothing where none is within near_s.
export function drawGaze(surface, gaze, timeS) {
  const k = nearest(gaze.time_s, timeS);
  if (k < 0 || Math.abs(gaze.time_s[k] - timeS) > gaze.near_s || !gaze.state[k]) return;
  drawPoint(surface, [gaze.x[k], gaze.y[k]], STATE_COLOURS[gaze.state[k]], true);
}

// The last trailS seconds of the same gaze, fading with age, broken where it was lost.
export function drawTrail(surface, gaze, timeS, trailS = 1) {
  const { context, width, height, unit } = surface;
  const pieces = [], gapS = Math.max(0.1, 3 * gaze.near_s);
  for (let k = firstFrom(gaze.time_s, timeS - trailS) + 1; k < gaze.time_s.length && gaze.time_s[k] <= timeS; k++) {
    const isJoined = gaze.state[k] && gaze.state[k - 1] && gaze.time_s[k] - gaze.time_s[k - 1] <= gapS;
    if (!isJoined) continue;
    const fresh = Math.ceil(FADES * (1 - (timeS - gaze.time_s[k]) / trailS)) / FADES, piece = pieces.at(-1);
    if (piece?.end === k - 1 && piece.fresh === fresh && piece.state === gaze.state[k]) piece.end = k;
    else pieces.push({ start: k - 1, end: k, fresh, state: gaze.state[k] });
  }
  context.lineJoin = "round";
  for (const [wide, isOutline] of [[0.95 * unit, true], [0.55 * unit, false]]) {
    context.lineWidth = wide;
    for (const { start, end, fresh, state } of pieces) {
      context.globalAlpha = isOutline ? 0.5 * fresh : 0.15 + 0.85 * fresh;
      context.strokeStyle = isOutline ? "#000" : STATE_COLOURS[state];
      context.beginPath();
      for (let k = start; k <= end; k++) context.lineTo(gaze.x[k] * width, gaze.y[k] * height);
      context.stroke();
    }
  }
  context.globalAlpha = 1;
}

// A ring for recorded gaze, a diamond for a model's point [x, y]; outside the picture an arrow at the border.
export function drawPoint(surface, [x, y], colour, isRecorded = false) {
  const { context, width, height, unit } = surface;
  const radius = 2.4 * unit, margin = 1.2 * unit;
  const px = Math.min(Math.max(x * width, margin), width - margin);
  const py = Math.min(Math.max(y * height, margin), height - margin);
  const isOutside = x < 0 || x > 1 || y < 0 || y > 1;
  context.beginPath();
  if (isOutside) {
    const along = Math.atan2(y * height - py, x * width - px), back = 1.85 * radius;
    context.moveTo(px, py);
    context.lineTo(px - back * Math.cos(along - 0.5), py - back * Math.sin(along - 0.5));
    context.lineTo(px - back * Math.cos(along + 0.5), py - back * Math.sin(along + 0.5));
    context.closePath();
  } else if (isRecorded) {
    context.arc(px, py, radius, 0, 2 * Math.PI);
  } else {
    for (const [dx, dy] of [[0, -1.2], [1.2, 0], [0, 1.2], [-1.2, 0]]) context.lineTo(px + dx * radius, py + dy * radius);
    context.closePath();
  }
  stroke(context, colour, 0.6 * unit, 0.25 * unit);
  context.fillStyle = colour;
  if (isOutside) context.fill();
  else dot(context, px, py, 0.6 * unit, colour, 0.25 * unit);
}

// density = {h, w, levels}: a byte a cell (or base64 of them), rows from the top, 255 at the peak: density to the power CONTRAST.
export function drawDensity(surface, density) {
  const { context, width, height } = surface;
  const levels = density.levels instanceof Uint8Array ? density.levels : bytesOf(density.levels);
  const small = new OffscreenCanvas(density.w, density.h), pixels = new ImageData(density.w, density.h);
  levels.forEach((level, k) => pixels.data.set(INKS.subarray(4 * level, 4 * level + 4), 4 * k));
  small.getContext("2d").putImageData(pixels, 0, 0);
  context.imageSmoothingEnabled = true;
  context.imageSmoothingQuality = "high";
  context.drawImage(small, 0, 0, width, height);
}

function bytesOf(base64) {
  return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
}

// faces = [{name, box: [x0, y0, x1, y1], looking: 0..1 or null}, ...]
export function drawFaces(surface, faces) {
  const { context, width, height, unit } = surface;
  for (const { name, box, looking } of faces) {
    const colour = looking !== null && looking >= LOOKS_FROM ? LOOKS_COLOUR : AWAY_COLOUR;
    const [x0, y0, x1, y1] = [box[0] * width, box[1] * height, box[2] * width, box[3] * height];
    context.beginPath();
    context.rect(x0, y0, x1 - x0, y1 - y0);
    stroke(context, colour, 0.5 * unit, 0.2 * unit);
    const tells = looking === null ? "?" : `${looking >= LOOKS_FROM ? "looks" : "away"} ${Math.round(100 * looking)}%`;
    const top = y0 - 4.6 * unit >= 0 ? y0 - 4.6 * unit : Math.min(y1 + unit, height - 4.6 * unit);
    drawWords(surface, `${name}  ${tells}`, x0, top, colour);
  }
}

// actions = [{name, share: 0..1}, ...], the likeliest first: a line and a bar each, from `top` on. Returns where they end.
export function drawActions(surface, actions, top) {
  const { context, width, unit } = surface;
  for (const { name, share } of actions) {
    drawWords(surface, `${Math.round(100 * share)}%  ${name}`, 2 * unit, top);
    context.fillStyle = BAR_COLOUR;
    context.fillRect(2 * unit, top + 4.6 * unit, 2 + 0.3 * width * share, 0.9 * unit);
    top += 6.4 * unit;
  }
  return top;
}

// Words on a dark box whose top-left corner is given, moved left where they would leave the picture.
export function drawWords(surface, text, left, top, colour = "#fff") {
  const { context, width, unit } = surface;
  context.font = `${3.2 * unit}px system-ui, sans-serif`;
  const wide = context.measureText(text).width + 1.6 * unit;
  const x = Math.max(0, Math.min(left, width - wide));
  context.fillStyle = BOX;
  context.fillRect(x, top, wide, 4.6 * unit);
  context.fillStyle = colour;
  context.textBaseline = "middle";
  context.fillText(text, x + 0.8 * unit, top + 2.4 * unit);
}

// Place of the first of increasing numbers that is not below `from`.
export function firstFrom(numbers, from) {
  let low = 0, high = numbers.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (numbers[middle] < from) low = middle + 1;
    else high = middle;
  }
  return low;
}

// Place of the number nearest to `to`; -1 of none.
export function nearest(numbers, to) {
  const after = firstFrom(numbers, to);
  if (after === 0) return numbers.length ? 0 : -1;
  if (after === numbers.length) return after - 1;
  return to - numbers[after - 1] <= numbers[after] - to ? after - 1 : after;
}

function stroke(context, colour, wide, outline) {
  context.lineJoin = "round";
  context.strokeStyle = DARK;
  context.lineWidth = wide + 2 * outline;
  context.stroke();
  context.strokeStyle = colour;
  context.lineWidth = wide;
  context.stroke();
}

function dot(context, x, y, radius, colour, outline) {
  for (const [size, ink] of [[radius + outline, DARK], [radius, colour]]) {
    context.fillStyle = ink;
    context.beginPath();
    context.arc(x, y, size, 0, 2 * Math.PI);
    context.fill();
  }
}

// For each level of a density its colour and opacity, as viz.density mixes them.
const INKS = Uint8ClampedArray.from({ length: 1024 }, (_, k) => {
  const level = (k >> 2) / 255, channel = k & 3;
  if (channel === 3) return 255 * OPACITY * level;
  const place = level ** (1 / CONTRAST) * (DENSITY_COLOURS.length - 1), low = Math.min(Math.floor(place), 2);
  return DENSITY_COLOURS[low][channel] + (place - low) * (DENSITY_COLOURS[low + 1][channel] - DENSITY_COLOURS[low][channel]);
});
