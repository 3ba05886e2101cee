// Server-sent events over fetch: EventSource cannot send a token.

export interface Message { id: string; event: string; data: string }

/** Takes a stream's text in any pieces and gives the events of it (WHATWG HTML §9.2.6). */
export class Parser {
  private rest = '';
  private id = '';
  private event = '';
  private data: string[] = [];

  push(text: string): Message[] {
    const out: Message[] = [];
    const lines = (this.rest + text).split('\n');
    this.rest = lines.pop() ?? '';
    for (const raw of lines) {
      const line = raw.endsWith('\r') ? raw.slice(0, -1) : raw;
      if (line === '') {
        if (this.data.length > 0) out.push({ id: this.id, event: this.event || 'message', data: this.data.join('\n') });
        this.id = this.event = '';
        this.data = [];
        continue;
      }
      const colon = line.indexOf(':');
      const name = colon < 0 ? line : line.slice(0, colon);
      const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
      if (name === 'id') this.id = value;
      else if (name === 'event') this.event = value;
      else if (name === 'data') this.data.push(value);
    }
    return out;
  }
}
