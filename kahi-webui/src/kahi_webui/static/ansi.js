// Terminal colours as classes: from the text of a log to pieces of text with class names. Every other escape
// sequence is dropped; nothing in a log is ever taken for markup.

const SEQUENCE = /\x1b(?:\[([0-?]*)[ -/]*([@-~])|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~])|[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f]/g;

/** The look of text so far; a log line begins with the look in which the one before ended. */
export const plain = () => ({ bold: false, dim: false, italic: false, underline: false, struck: false, fore: -1, back: -1 });

/** The pieces of one line, as [text, class names]; `look` is changed in place. */
export function pieces(line, look) {
  const found = [];
  let at = 0;
  SEQUENCE.lastIndex = 0;
  for (let match = SEQUENCE.exec(line); match; match = SEQUENCE.exec(line)) {
    if (match.index > at) found.push([line.slice(at, match.index), names(look)]);
    at = SEQUENCE.lastIndex;
    if (match[2] === "m") apply(match[1], look);
  }
  if (at < line.length) found.push([line.slice(at), names(look)]);
  return found;
}

function names(look) {
  const found = [];
  if (look.bold) found.push("b");
  if (look.dim) found.push("dim");
  if (look.italic) found.push("i");
  if (look.underline) found.push("u");
  if (look.struck) found.push("s");
  if (look.fore >= 0) found.push(`f${look.fore}`);
  if (look.back >= 0) found.push(`g${look.back}`);
  return found.join(" ");
}

function apply(parameters, look) {
  const codes = parameters.split(/[;:]/).map((code) => Number(code) || 0);
  for (let at = 0; at < codes.length; at += 1) {
    const code = codes[at];
    if (code === 0) Object.assign(look, plain());
    else if (code === 1) look.bold = true;
    else if (code === 2) look.dim = true;
    else if (code === 3) look.italic = true;
    else if (code === 4) look.underline = true;
    else if (code === 9) look.struck = true;
    else if (code === 22) look.bold = look.dim = false;
    else if (code === 23) look.italic = false;
    else if (code === 24) look.underline = false;
    else if (code === 29) look.struck = false;
    else if (code >= 30 && code <= 37) look.fore = code - 30;
    else if (code === 39) look.fore = -1;
    else if (code >= 40 && code <= 47) look.back = code - 40;
    else if (code === 49) look.back = -1;
    else if (code >= 90 && code <= 97) look.fore = code - 82;
    else if (code >= 100 && code <= 107) look.back = code - 100;
    else if (code === 38 || code === 48) {
      // 256 and true colours: the nearest of the sixteen, and past their parameters.
      const colour = codes[at + 1] === 5 ? nearestOf256(codes[at + 2] ?? 0) : nearest(codes.slice(at + 2, at + 5));
      if (code === 38) look.fore = colour;
      else look.back = colour % 8;
      at += codes[at + 1] === 5 ? 2 : 4;
    }
  }
}

function nearestOf256(index) {
  if (index < 16) return index;
  if (index >= 232) return index < 240 ? 0 : index < 248 ? 8 : 7;
  const cube = index - 16;
  return nearest([Math.floor(cube / 36) * 51, (Math.floor(cube / 6) % 6) * 51, (cube % 6) * 51]);
}

function nearest([red = 0, green = 0, blue = 0]) {
  const strongest = Math.max(red, green, blue);
  if (strongest < 64) return 0;
  const bit = (value) => (value > strongest * 0.6 ? 1 : 0);
  return bit(red) + 2 * bit(green) + 4 * bit(blue) + (strongest > 200 ? 8 : 0);
}
