// A picture that can be moved and zoomed, by mouse, touch and keyboard.
import type { ComponentChildren } from 'preact';
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import { select } from 'd3-selection';
import { zoom, zoomIdentity, type ZoomBehavior } from 'd3-zoom';

/** fit is a text; when it changes, the whole picture is brought into sight. */
export function Canvas({ label, fit, children }: { label: string; fit: string; children: ComponentChildren }) {
  const svg = useRef<SVGSVGElement>(null);
  const group = useRef<SVGGElement>(null);
  const behavior = useRef<ZoomBehavior<SVGSVGElement, unknown>>();
  const whole = (): void => {
    const box = group.current!.getBBox();
    const { clientWidth: w, clientHeight: h } = svg.current!;
    if (!box.width || !w || !behavior.current) return;
    const k = Math.min(1.15, (w - 48) / box.width, (h - 48) / box.height);
    select(svg.current!).call(behavior.current.transform, zoomIdentity.translate((w - box.width * k) / 2 - box.x * k, Math.max(24, (h - box.height * k) / 2) - box.y * k).scale(k));
  };
  useEffect(() => {
    const z = zoom<SVGSVGElement, unknown>().scaleExtent([0.05, 4]).on('zoom', (e) => group.current?.setAttribute('transform', String(e.transform)));
    behavior.current = z;
    select(svg.current!).call(z).on('dblclick.zoom', null);
    whole();
    const observer = new ResizeObserver(whole);
    observer.observe(svg.current!);
    return () => observer.disconnect();
  }, []);
  useLayoutEffect(whole, [fit]);
  const by = (k: number): void => { select(svg.current!).call(behavior.current!.scaleBy, k); };
  const key = (e: KeyboardEvent): void => {
    if (e.target !== svg.current) return;
    const step = { ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60] }[e.key];
    if (step) {
      e.preventDefault();
      select(svg.current!).call(behavior.current!.translateBy, step[0], step[1]);
    } else if (e.key === '+' || e.key === '=') by(1.3);
    else if (e.key === '-') by(1 / 1.3);
    else if (e.key === '0') whole();
  };
  return (
    <div class="canvas">
      <svg ref={svg} role="group" aria-label={`${label}. Arrow keys move the picture, plus and minus zoom, 0 shows all`} tabindex={0} onKeyDown={key}><g ref={group}>{children}</g></svg>
      <div class="zoom">
        <button type="button" class="icon" aria-label="Zoom in" onClick={() => by(1.3)}>+</button>
        <button type="button" class="icon" aria-label="Zoom out" onClick={() => by(1 / 1.3)}>−</button>
        <button type="button" class="icon" aria-label="Show all" onClick={whole}>⤢</button>
      </div>
    </div>
  );
}
