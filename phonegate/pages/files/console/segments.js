// How many SMS a text takes, as domain/segmentation.py counts: GSM 7-bit or UCS-2 (3GPP TS 23.038).

const SINGLE_SEPTETS = 160;
const PART_SEPTETS = 153;
const SINGLE_UNITS = 70;
const PART_UNITS = 67;

const BASIC = new Set(
  "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?" +
  "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà",
);
const EXTENDED = new Set("\f^{}\\[~]|€");

/** Returns the parts that a text takes, what it is written in, and how much room the last one has. */
export function measure(text) {
  const widths = [];
  for (const char of text) {
    if (BASIC.has(char)) widths.push(1);
    else if (EXTENDED.has(char)) widths.push(2);
    else return inUnits(text);
  }
  return cut(widths, SINGLE_SEPTETS, PART_SEPTETS, "GSM-7");
}

/** Returns into how many SMS a phone cuts a text. An empty one is one. */
export function count(text) {
  return measure(text).segments;
}

/** Keeps an element's text up to date with what a textarea would send. `more` adds to it. */
export function counter(textarea, output, more = () => "") {
  const show = () => {
    const { segments, encoding, left } = measure(textarea.value);
    const parts = segments === 1 ? "1 SMS" : `${segments} SMS`;
    const kind = encoding === "UCS-2" ? " with special characters" : "";
    const rest = textarea.value ? `, ${left} characters left in ${segments === 1 ? "it" : "the last"}` : "";
    output.textContent = `${parts}${kind}${rest}${more(segments)}`;
  };
  textarea.addEventListener("input", show);
  show();
  return show;
}

function inUnits(text) {
  const widths = Array.from(text, (char) => char.length);
  return cut(widths, SINGLE_UNITS, PART_UNITS, "UCS-2");
}

// A character of two, an escape with its code or a surrogate pair, is never cut in two.
function cut(widths, single, part, encoding) {
  const size = widths.reduce((sum, width) => sum + width, 0);
  if (size <= single) return { segments: 1, encoding, left: single - size };
  let segments = 1;
  let used = 0;
  for (const width of widths) {
    if (used + width > part) {
      segments += 1;
      used = 0;
    }
    used += width;
  }
  return { segments, encoding, left: part - used };
}
