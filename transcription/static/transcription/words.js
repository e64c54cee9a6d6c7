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

/** How sure a word is: 3 (90 % and more), 2, 1, or 0 (less than 50 %). */
export function sureness(probability) {
  return [0.5, 0.7, 0.9].filter((least) => probability >= least).length;
}
