// The connection to a live run: hands over pictures and states, asks for the next picture, and comes back when it is lost.

const FIRST_WAIT_MS = 500, LONGEST_WAIT_MS = 4000;

// onPicture({marks, bitmap}), after which `say("shown")`, or later "go on", asks for another; onStatus(object);
// onState("open" | "gone" | "unknown").
export function stream(path, { onPicture, onStatus, onState }) {
  let socket = null, waitMs = FIRST_WAIT_MS;

  function open() {
    const address = new URL(path, location.href);
    address.protocol = address.protocol.replace("http", "ws");
    const own = socket = new WebSocket(address);
    own.binaryType = "arraybuffer";
    own.onopen = () => { waitMs = FIRST_WAIT_MS; onState("open"); };
    own.onmessage = async ({ data }) => {
      if (typeof data === "string") return onStatus(JSON.parse(data));
      const picture = await read(data);
      if (own.readyState === WebSocket.OPEN) onPicture(picture);
    };
    own.onclose = async () => {
      onState(await isRefused() ? "unknown" : "gone");
      setTimeout(open, waitMs);
      waitMs = Math.min(2 * waitMs, LONGEST_WAIT_MS);
    };
  }

  open();
  return { say: (word) => { if (socket.readyState === WebSocket.OPEN) socket.send(word); } };
}

// A message: the length of the numbers, these as JSON, the picture as JPEG.
async function read(data) {
  const length = new DataView(data).getUint32(0, true);
  const marks = JSON.parse(new TextDecoder().decode(new Uint8Array(data, 4, length)));
  const bitmap = await createImageBitmap(new Blob([new Uint8Array(data, 4 + length)], { type: "image/jpeg" }));
  return { marks, bitmap };
}

// True where a server is there and does not know this page, as after it was started anew with another token.
async function isRefused() {
  try {
    return (await fetch("", { method: "HEAD", cache: "no-store" })).status === 403;
  } catch {
    return false;
  }
}
