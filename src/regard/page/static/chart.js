// Lines over the last seconds on a canvas, in the page's own colours.

const SECONDS = 60, LEFT = 34, BOTTOM = 16, ROUND = [1, 2, 5];

// lines = [{colour, dashed, points: [[time in seconds, value], ...]}]; the chart ends at `nowS`.
export function drawChart(canvas, lines, nowS) {
  const pixels = window.devicePixelRatio || 1, style = getComputedStyle(canvas);
  canvas.width = Math.round(canvas.clientWidth * pixels);
  canvas.height = Math.round(canvas.clientHeight * pixels);
  const context = canvas.getContext("2d"), width = canvas.clientWidth - LEFT - 4, height = canvas.clientHeight - BOTTOM - 6;
  context.scale(pixels, pixels);
  const recent = lines.map((line) => ({ ...line, points: line.points.filter(([timeS]) => timeS >= nowS - SECONDS) }));
  const top = Math.max(10, ...recent.flatMap(({ points }) => points.map(([, value]) => value)));
  const step = roundStep(top / 3), highest = step * Math.ceil(top / step);
  const xOf = (timeS) => LEFT + width * (1 - (nowS - timeS) / SECONDS), yOf = (value) => 6 + height * (1 - value / highest);

  context.font = "11px system-ui, sans-serif";
  context.fillStyle = style.getPropertyValue("--dim");
  context.strokeStyle = style.getPropertyValue("--line");
  context.textBaseline = "middle";
  context.textAlign = "right";
  for (let value = 0; value <= highest; value += step) {
    context.fillText(value, LEFT - 5, yOf(value));
    context.beginPath();
    context.moveTo(LEFT, yOf(value));
    context.lineTo(LEFT + width, yOf(value));
    context.stroke();
  }
  context.textBaseline = "bottom";
  for (const ago of [0, SECONDS / 2, SECONDS]) {
    context.textAlign = ago === SECONDS ? "left" : ago ? "center" : "right";
    context.fillText(ago ? `-${ago} s` : "now", xOf(nowS - ago), canvas.clientHeight);
  }
  context.lineWidth = 1.8;
  for (const { colour, dashed, points } of recent) {
    context.strokeStyle = colour;
    context.setLineDash(dashed ? [4, 3] : []);
    context.beginPath();
    points.forEach(([timeS, value], k) => {
      const isJoined = k > 0 && timeS - points[k - 1][0] < 3;
      context[isJoined ? "lineTo" : "moveTo"](xOf(timeS), yOf(value));
    });
    context.stroke();
  }
}

function roundStep(rough) {
  const ten = 10 ** Math.floor(Math.log10(rough));
  return ten * (ROUND.find((of) => of * ten >= rough) ?? 10);
}
