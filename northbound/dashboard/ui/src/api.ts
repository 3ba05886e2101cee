// Talking to the server: one way to ask, one form of failure, and who is asking.
import { signal } from '@preact/signals';
import type { Whoami } from './types';

const TOKEN = 'heddle-token';

/** The token that requests carry; empty where none is needed. It ends with the browser's tab. */
export const token = signal(read());

/** Who the server says we are; null until it has, or while it wants a token. */
export const me = signal<Whoami | null>(null);

function read(): string {
  try {
    return sessionStorage.getItem(TOKEN) ?? '';
  } catch {
    return ''; // storage is switched off: the token lives as long as the page
  }
}

export function setToken(value: string): void {
  token.value = value;
  try {
    if (value) sessionStorage.setItem(TOKEN, value);
    else sessionStorage.removeItem(TOKEN);
  } catch {
    // see read
  }
}

/** Why a request failed: what the server said of it, or that it said nothing. */
export class Failure extends Error {
  constructor(
    /** HTTP status; 0 if there was no answer. */
    readonly status: number,
    readonly reason: string,
    message: string,
    /** The request's id, under which the server's log has more. */
    readonly request = '',
  ) {
    super(message);
  }
}

export function headers(): Record<string, string> {
  return token.value ? { 'X-Auth-Token': token.value } : {};
}

/** Makes the failure of an answer that is not a success. */
export async function failureOf(answer: Response): Promise<Failure> {
  const request = answer.headers.get('X-Openstack-Request-Id') ?? '';
  const text = await answer.text().catch(() => '');
  if (answer.status === 401) {
    me.value = null;
    return new Failure(401, 'Unauthorized', token.value ? 'The server does not accept this token.' : 'The server wants a token.', request);
  }
  try {
    const { error } = JSON.parse(text);
    return new Failure(answer.status, error.reason ?? '', error.message ?? text, request);
  } catch {
    return new Failure(answer.status, '', `The server answered ${answer.status} ${answer.statusText}.`, request);
  }
}

/** Gets a document of the API. */
export async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  let answer: Response;
  try {
    answer = await fetch(path, { headers: { Accept: 'application/json', ...headers() }, signal, cache: 'no-store' });
  } catch (cause) {
    if (signal?.aborted) throw cause;
    throw new Failure(0, 'Unreachable', 'The server does not answer. The page goes on asking; what you see is from before.');
  }
  if (!answer.ok) throw await failureOf(answer);
  return (await answer.json()) as T;
}

/** Joins a path and a query; members that are empty are left out. */
export function url(path: string, query: Record<string, string | number | undefined> = {}): string {
  const q = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined && value !== '') q.set(name, String(value));
  const text = q.toString();
  return text ? `${path}?${text}` : path;
}
