// Areas of interest: where they are at a moment, and drawing them over the picture as regard.viz.areas does.

import { drawWords, firstFrom } from "./overlay.js";

const FILLED = 0.4, DARK = "rgba(0, 0, 0, 0.7)";

// {name, colour, corners: [[x, y], ...]} of each area that is there; `rows` are of regard.engine.view.areas.
export function areasAt(rows, about, timeS) {
  return about.map(({ name, colour }, a) => ({ name, colour, corners: cornersAt(rows, a, timeS) })).filter(({ corners }) => corners.length);
}

// In straight lines from one keyframe to the next where both have as many corners; else as it was.
function cornersAt(rows, a, timeS) {
  const [first, end] = rows.first.subarray(a, a + 2), times = rows.time_s.subarray(first, end);
  let k = firstFrom(times, timeS);
  if (times[k] !== timeS) k -= 1;
  if (k < 0) return [];
  const shape = shapeOf(rows, first + k), next = k + 1 < times.length ? shapeOf(rows, first + k + 1) : [];
  if (next.length !== shape.length) return shape;
  const share = (timeS - times[k]) / (times[k + 1] - times[k]);
  return shape.map(([x, y], n) => [x + share * (next[n][0] - x), y + share * (next[n][1] - y)]);
}

function shapeOf(rows, k) {
  const numbers = rows.corners.subarray(2 * rows.begin[k], 2 * rows.begin[k + 1]);
  return Array.from({ length: numbers.length / 2 }, (_, n) => [numbers[2 * n], numbers[2 * n + 1]]);
}

// Whether a place [x, y] is in an area: whether a line from it to the right crosses an odd number of sides.
export function holds({ corners }, [x, y]) {
  let isIn = false;
  corners.forEach(([x1, y1], n) => {
    const [x0, y0] = corners.at(n - 1);
    if (y0 > y !== y1 > y && x < x0 + ((y - y0) / (y1 - y0)) * (x1 - x0)) isIn = !isIn;
  });
  return isIn;
}

// Outlines with names; those that hold `gaze` ({x, y} or null) are filled.
export function drawAreas(surface, areas, gaze) {
  const { context, width, height, unit } = surface;
  context.lineJoin = "round";
  for (const area of areas) {
    context.beginPath();
    for (const [x, y] of area.corners) context.lineTo(x * width, y * height);
    context.closePath();
    if (gaze && holds(area, [gaze.x, gaze.y])) {
      context.globalAlpha = FILLED;
      context.fillStyle = area.colour;
      context.fill();
      context.globalAlpha = 1;
    }
    for (const [ink, wide] of [[DARK, 0.9 * unit], [area.colour, 0.5 * unit]]) {
      Object.assign(context, { strokeStyle: ink, lineWidth: wide });
      context.stroke();
    }
  }
  for (const { name, colour, corners } of areas) {
    const left = Math.min(...corners.map(([x]) => x)) * width, top = Math.min(...corners.map(([, y]) => y)) * height;
    drawWords(surface, name, Math.max(0, left), Math.max(0, top), colour);
  }
}
