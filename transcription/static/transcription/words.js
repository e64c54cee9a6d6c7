// A final's text and its words, brought together.

/** The text in pieces, each with its word or null: `[{text, word}]`. The pieces joined are the text. */
export function pieces(text, words) {
  const found = [];
  let end = 0;
  for (const word of words) {
    const start = text.indexOf(word.word, end);
    if (start < 0) continue;
    if (start > end) found.push({ text: text.slice(end, start), word: null });
    end = start + word.word.length;
    found.push({ text: word.word, word });
  }
  if (end < text.length) found.push({ text: text.slice(end), word: null });
  return found;
}

/** What a final says as Brazilians write it, an entity's words being one; where it has no such text, as it is. */
export function written({ text, words, text_formatted: formatted, entities = [] }) {
  if (formatted === undefined) return { text, words };
  const chars = [...text]; // places are in characters, not in halves of surrogate pairs
  const found = [];
  let end = 0;
  let open = null;
  for (const piece of pieces(text, words)) {
    const start = end;
    end += [...piece.text].length;
    if (!piece.word) continue;
    const entity = entities.find((one) => start < one.spoken_end && end > one.spoken_start);
    if (!entity) found.push(piece.word);
    else if (entity !== open?.entity) found.push((open = { ...piece.word, entity, at: start, until: end }));
    else Object.assign(open, { end: piece.word.end, until: end, probability: Math.min(open.probability, piece.word.probability) });
  }
  const joined = ({ entity, at, until, ...word }) => {
    const [before, after] = [chars.slice(at, entity.spoken_start), chars.slice(entity.spoken_end, until)];
    return { ...word, word: before.join("") + entity.text + after.join("") };
  };
  return { text: formatted, words: found.map((word) => (word.entity ? joined(word) : word)) };
}

/** How sure a word is: 3 (90 % and more), 2, 1, or 0 (less than 50 %). */
export function sureness(probability) {
  return [0.5, 0.7, 0.9].filter((least) => probability >= least).length;
}
