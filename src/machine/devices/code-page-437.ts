// The character set in a PC's text-mode ROM as Unicode. Not a font. Unicode consortium: VENDORS/MICSFT/PC/CP437.TXT; codes below
// 20h are the pictures that the screen shows for them (IBM code page 437 graphics).

const LOW = ' ☺☻♥♦♣♠•◘○◙♂♀♪♫☼►◄↕‼¶§▬↨↑↓→←∟↔▲▼';
const HIGH =
  'ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■ ';

/** One character; 0, 20h and FFh are blanks. */
export const fromCodePage437 = (code: number): string => {
  if (code < 0x20) return LOW[code]!;
  if (code < 0x7f) return String.fromCharCode(code);
  return code === 0x7f ? '⌂' : HIGH[code - 0x80]!;
};
