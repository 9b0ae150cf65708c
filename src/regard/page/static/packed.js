// Reads messages of named arrays: the length of a head, the head as JSON, then the numbers (regard.engine.view.packed).

const KINDS = { f8: Float64Array, f4: Float32Array, u1: Uint8Array, u2: Uint16Array, u4: Uint32Array };

// {name: typed array}; an array of several dimensions has its `shape`, and numbers row by row.
export function unpacked(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const head = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const begin = Math.ceil((4 + length) / 8) * 8, arrays = {};
  for (const [name, { kind, shape, at }] of Object.entries(head)) {
    const count = shape.reduce((product, side) => product * side, 1);
    arrays[name] = new KINDS[kind](buffer, begin + at, count);
    arrays[name].shape = shape;
  }
  return arrays;
}

export async function fetchPacked(address) {
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(`${address}: ${(await answer.text()).trim() || answer.statusText}`);
  return unpacked(await answer.arrayBuffer());
}
