// Light or dark: what the system prefers, unless somebody chose here.
import { signal } from '@preact/signals';

export type Theme = 'auto' | 'light' | 'dark';
const KEY = 'heddle-theme';

export const theme = signal<Theme>('auto');

export function restoreTheme(): void {
  let saved: string | null = null;
  try {
    saved = localStorage.getItem(KEY);
  } catch {
    // storage is switched off
  }
  setTheme(saved === 'light' || saved === 'dark' ? saved : 'auto');
}

export function setTheme(t: Theme): void {
  theme.value = t;
  document.documentElement.dataset.theme = t;
  try {
    if (t === 'auto') localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, t);
  } catch {
    // see restoreTheme
  }
}
