// What the keyboard does everywhere: "g" and a letter goes to a view, "/" to the search, "?" to the help.
import { go, to } from './router';

export interface View { path: string; name: string; key: string; admin: boolean; icon: string }

/** The views in the order of the menu; icons are paths in a box of 16 by 16. */
export const VIEWS: View[] = [
  { path: 'topology', name: 'Topology', key: 't', admin: false, icon: 'M2 2h5v4H2zM9 10h5v4H9zM2 10h5v4H2zM4.5 6v4M7 12h2' },
  { path: 'flows', name: 'Flows', key: 'f', admin: true, icon: 'M2 4h8M2 8h12M2 12h6M12 2l2 2-2 2' },
  { path: 'objects', name: 'Objects', key: 'o', admin: false, icon: 'M8 1.5l6 3.2v6.6l-6 3.2-6-3.2V4.700zM2 4.700l6 3.300 6-3.300M8 8v6.500' },
  { path: 'explain', name: 'Explain', key: 'x', admin: false, icon: 'M3 13c0-5 10-4 10-9M10.500 3.500L13 2l1.500 2.500M3 13m-1.500 0a1.500 1.500 0 103 0 1.500 1.500 0 10-3 0' },
  { path: 'events', name: 'Events', key: 'e', admin: true, icon: 'M1 8h3l2-5 4 10 2-5h3' },
  { path: 'history', name: 'History', key: 'h', admin: false, icon: 'M8 4v4l3 2M8 1.500a6.500 6.500 0 11-5.600 3.200M2 1.500v3.500h3.500' },
  { path: 'hosts', name: 'Hosts', key: 's', admin: true, icon: 'M2 2h12v5H2zM2 9h12v5H2zM4.500 4.500h.1M4.500 11.500h.1' },
  { path: 'agents', name: 'Agents', key: 'a', admin: true, icon: 'M8 2v2M3 5h10v8H3zM6 8.500v1M10 8.500v1M1 8v2M15 8v2' },
  { path: 'leases', name: 'Leases', key: 'l', admin: false, icon: 'M2 3h12v10H2zM5 6h6M5 10h3' },
  { path: 'macs', name: 'MACs', key: 'm', admin: true, icon: 'M4 1v14M8 1v14M12 1v14M1 5h14M1 11h14' },
];

/** Listens to keys until the returned function is called. */
export function listenKeys(help: () => void): () => void {
  let leader = -Infinity; // when "g" was pressed
  const key = (e: KeyboardEvent): void => {
    const into = e.target as HTMLElement;
    if (e.ctrlKey || e.metaKey || e.altKey || into.matches('input,select,textarea,[contenteditable]')) return;
    if (performance.now() - leader < 1200) {
      leader = -Infinity;
      const view = VIEWS.find((v) => v.key === e.key);
      if (view) {
        e.preventDefault();
        go(to(view.path));
      }
      return;
    }
    if (e.key === 'g') leader = performance.now();
    else if (e.key === '?') help();
    else if (e.key === '/') {
      const field = document.querySelector<HTMLInputElement>('[data-search]');
      if (field) {
        e.preventDefault();
        field.focus();
        field.select();
      }
    }
  };
  document.addEventListener('keydown', key);
  return () => document.removeEventListener('keydown', key);
}
