// The keys of a grid, as the ARIA practices have them: one cell is in the tab order, arrows move.

/// The cell that a key leads to from {row, column}, or null when the key is none of the grid's.
export function cell_after_key(event, { row, column }, { rows, columns, page }) {
  const far = event.ctrlKey || event.metaKey;
  const moves = {
    ArrowUp: [far ? 0 : row - 1, column],
    ArrowDown: [far ? rows - 1 : row + 1, column],
    ArrowLeft: [row, far ? 0 : column - 1],
    ArrowRight: [row, far ? columns - 1 : column + 1],
    Home: [far ? 0 : row, 0],
    End: [far ? rows - 1 : row, columns - 1],
    PageUp: [row - page, column],
    PageDown: [row + page, column],
  };
  const move = moves[event.key];
  if (!move || event.altKey) return null;
  const clamp = (x, count) => Math.max(0, Math.min(count - 1, x));
  return { row: clamp(move[0], rows), column: clamp(move[1], columns) };
}

export function opens(event) {
  return event.key === "Enter" || event.key === " ";
}
