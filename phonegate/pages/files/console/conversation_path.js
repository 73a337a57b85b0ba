// Where a conversation stands, as pages/console/conversations/conversation_path.py writes it.

/** Returns the path of a conversation below the console. */
export function conversation(party) {
  // Else a browser would take it for no part of the path, or for another folder.
  const blank = ["", ".", ".."].includes(party) ? "%20" : "";
  return `/conversations/${blank}${encodeURIComponent(party)}`;
}
