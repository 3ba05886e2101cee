// A list of any length of which only the rows in sight exist.
import type { ComponentChildren } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { windowOf } from './window';

interface Props {
  label: string;
  count: number;
  /** Height of a row in pixels; all rows are of one height. */
  height: number;
  row: (index: number) => ComponentChildren;
  /** The chosen row, -1 for none. */
  chosen: number;
  onChoose: (index: number) => void;
  /** Told which rows are in sight, last excluded. */
  onSight?: (first: number, last: number) => void;
}

export function VirtualList({ label, count, height, row, chosen, onChoose, onSight }: Props) {
  const ref = useRef<HTMLDivElement>(null);
  const [sight, setSight] = useState({ top: 0, height: 800 });
  const measure = (): void => {
    const el = ref.current;
    if (el && (el.scrollTop !== sight.top || el.clientHeight !== sight.height)) setSight({ top: el.scrollTop, height: el.clientHeight });
  };
  useLayoutEffect(measure);
  useEffect(() => {
    const observer = new ResizeObserver(measure);
    observer.observe(ref.current!);
    return () => observer.disconnect();
  });
  const { first, last } = windowOf(sight.top, sight.height, height, count);
  useEffect(() => { onSight?.(first, last); }, [first, last, count]);
  const reveal = (index: number): void => {
    const el = ref.current!;
    if (index * height < el.scrollTop) el.scrollTop = index * height;
    else if ((index + 1) * height > el.scrollTop + el.clientHeight) el.scrollTop = (index + 1) * height - el.clientHeight;
  };
  const key = (e: KeyboardEvent): void => {
    const page = Math.max(1, Math.floor(sight.height / height) - 1);
    const next = { ArrowDown: chosen + 1, ArrowUp: chosen - 1, PageDown: chosen + page, PageUp: chosen - page, Home: 0, End: count - 1 }[e.key];
    if (next === undefined || count === 0) return;
    e.preventDefault();
    const at = Math.min(count - 1, Math.max(0, next));
    onChoose(at);
    reveal(at);
  };
  const rows = [];
  for (let i = first; i < last; i++) {
    rows.push(
      <div key={i} id={`${label}-${i}`} role="option" aria-selected={i === chosen} aria-setsize={count} aria-posinset={i + 1} class="vrow"
        style={{ transform: `translateY(${i * height}px)`, height: `${height}px` }} onClick={() => onChoose(i)}>{row(i)}</div>,
    );
  }
  return (
    <div class="virtual" ref={ref} role="listbox" aria-label={label} tabIndex={0} aria-activedescendant={chosen >= first && chosen < last ? `${label}-${chosen}` : undefined}
      onScroll={measure} onKeyDown={key}>
      <div role="presentation" style={{ height: `${count * height}px` }}>{rows}</div>
    </div>
  );
}
