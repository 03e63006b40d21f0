"use strict";
/* From text to symbols and back, as charrnn/text/ does it: the form of the corpus, its unit, the bytes that spell what
   has no symbol of its own, and bytes that become a character when the last of them is there. */

const UNITS = { word: /[\p{L}\p{N}_]{1,64}|[^\p{L}\p{N}_]/gu, char: /[\s\S]/gu, byte: /[\s\S]/gu };
const WORDLIKE = /^[\p{L}\p{N}_]+$/u;
const NAMES = { "\t": "\\t", "\n": "\\n", "\r": "\\r", "\\": "\\" };

/** A character as a table shows it: visible, and unable to turn the line around. */
function visible(character) {
  if (character in NAMES) return NAMES[character];
  if (/\p{M}/u.test(character)) return "◌" + character;
  if (!/[\p{C}\p{Z}]/u.test(character)) return character;
  const code = character.codePointAt(0);
  if (code < 256) return "\\x" + code.toString(16).padStart(2, "0");
  return code < 65536 ? "\\u" + code.toString(16).padStart(4, "0") : "\\U" + code.toString(16).padStart(8, "0");
}

/** A text as a table shows it. */
const visibleText = (text) => text.replace(/[\s\S]/gu, (character) => (character === " " ? " " : visible(character)));

/** The symbols of a vocabulary. Ids: 0 is `<start>`, then the bytes, then the other symbols. */
class Alphabet {
  constructor({ unit, bytes, symbols }, form) {
    Object.assign(this, { unit, bytes, symbols, form });
    this.size = 1 + bytes.length + symbols.length;
    this.byteIds = new Map(bytes.map((value, i) => [value, 1 + i]));
    this.ids = new Map(symbols.map((symbol, i) => [symbol, 1 + bytes.length + i]));
    this.spells = unit === "byte" || bytes.length > 0;
    const encoder = new TextEncoder();
    this.utf8 = [new Uint8Array(), ...bytes.map((value) => Uint8Array.of(value)), ...symbols.map((s) => encoder.encode(s))];
    this.wordlike = Array.from({ length: this.size }, (_, id) => this.isWordlike(id));
  }

  /** The text in the form of the corpus that the model has learned from. */
  formed(text) {
    const { unit, bom, newlines, normal_form: normalForm, case: letters } = this.form;
    if (unit === "byte") return text;
    if (bom === "strip" && text.startsWith("\ufeff")) text = text.slice(1);
    if (newlines === "lf") text = text.replace(/\r\n?/g, "\n");
    if (normalForm !== "none") text = text.normalize(normalForm);
    if (letters === "lower") text = text.replace(/Σ/g, "σ").toLowerCase();
    return letters === "lower" && normalForm !== "none" ? text.normalize(normalForm) : text;
  }

  /** The text unit by unit, each with its ids; none where the vocabulary has no way to write it. */
  pieces(text) {
    return Array.from(text.matchAll(UNITS[this.unit]), ([unit]) => ({ text: unit, ids: this.idsOf(unit) }));
  }

  idsOf(unit) {
    const own = this.ids.get(unit);
    if (own !== undefined) return [own];
    if (!this.spells || /\p{Cs}/u.test(unit)) return [];
    const characters = Array.from(unit);
    if (characters.length > 1) return characters.flatMap((character) => this.idsOf(character));
    const ids = Array.from(new TextEncoder().encode(unit), (value) => this.byteIds.get(value));
    return ids.includes(undefined) ? [] : ids;
  }

  /** Whether a symbol is part of a word; the bytes of a letter beyond ASCII are taken to be. */
  isWordlike(id) {
    if (id === 0) return false;
    const value = this.bytes[id - 1];
    if (value !== undefined) return value >= 0x80 || WORDLIKE.test(String.fromCharCode(value));
    return WORDLIKE.test(this.symbols[id - 1 - this.bytes.length]);
  }

  /** Whether a symbol is a word that begins with `prefix` and goes on. */
  longer(id, prefix) {
    const symbol = this.symbols[id - 1 - this.bytes.length] ?? "";
    return symbol.length > prefix.length && symbol.startsWith(prefix);
  }

  /** How a table shows a symbol. */
  label(id) {
    const value = this.bytes[id - 1];
    if (value !== undefined && (this.unit !== "byte" || value >= 0x80))
      return "0x" + value.toString(16).toUpperCase().padStart(2, "0");
    const text = value === undefined ? this.symbols[id - 1 - this.bytes.length] : String.fromCharCode(value);
    return text === " " ? "space" : visibleText(text);
  }

  /** Whether that label is a name, and not the symbol itself. */
  named(id) {
    const text = new TextDecoder().decode(this.utf8[id]);
    return this.label(id) !== text;
  }
}

/** Symbols become text as soon as it is certain: a character appears with the last of its bytes. */
class Decoder {
  constructor(alphabet) {
    this.utf8 = alphabet.utf8;
    this.decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  }

  feed(id) {
    return this.decoder.decode(this.utf8[id], { stream: true });
  }
}

/** The text of whole symbols. */
function textOf(ids, alphabet) {
  const decoder = new Decoder(alphabet);
  return ids.map((id) => decoder.feed(id)).join("") + decoder.decoder.decode();
}
