// The frame around all views: login, menu, connection, help.
import { useEffect, useRef, useState } from 'preact/hooks';
import { Failure, get, me, setToken, token } from './api';
import { VIEWS, listenKeys } from './keys';
import { connection, follow, stop, useDocument } from './live';
import { Empty } from './parts';
import { go, route, to } from './router';
import { setTheme, theme, type Theme } from './theme';
import type { Status, Whoami } from './types';
import { Agents } from './views/agents';
import { Events } from './views/events';
import { ExplainView } from './views/explain';
import { FlowsView } from './views/flows';
import { HistoryView } from './views/history';
import { Hosts } from './views/hosts';
import { Leases } from './views/leases';
import { Macs } from './views/macs';
import { ObjectView } from './views/object';
import { Objects } from './views/objects';
import { TopologyView } from './views/topology';

export function App() {
  const [problem, setProblem] = useState<Failure | null>(null);
  const [asked, setAsked] = useState(false);
  const identify = async (): Promise<void> => {
    try {
      me.value = await get<Whoami>('/v1/whoami');
      setProblem(null);
      follow();
    } catch (e) {
      setProblem(e instanceof Failure ? e : new Failure(0, '', String(e)));
    }
    setAsked(true);
  };
  useEffect(() => {
    void identify();
    return stop;
  }, [token.value]);
  useEffect(() => {
    if (problem?.status !== 0) return;
    const timer = setTimeout(identify, 2000);
    return () => clearTimeout(timer);
  }, [problem]);
  if (me.value) return <Frame />;
  if (!asked) return null;
  if (problem?.status === 0 || (problem && problem.status >= 500)) return <main class="login"><Empty title="The server does not answer">{problem.message}</Empty></main>;
  return <Login problem={token.value ? problem?.message : undefined} />;
}

function Login({ problem }: { problem?: string }) {
  const [value, setValue] = useState('');
  return (
    <main class="login">
      <form onSubmit={(e) => { e.preventDefault(); setToken(value.trim()); }}>
        <h1><Logo /> Heddle</h1>
        <label for="token">Token</label>
        <input id="token" type="password" autoComplete="off" value={value} autoFocus aria-describedby="token-help" aria-invalid={!!problem}
          onInput={(e) => setValue(e.currentTarget.value)} />
        {problem && <p class="bad" role="alert">{problem}</p>}
        <button type="submit" class="primary" disabled={!value.trim()}>Log in</button>
        <p id="token-help" class="dim">
          The token is one that the Networking API takes in <code>X-Auth-Token</code>: a line of the server's <code>--token-file</code>. It is kept until this tab is closed.
        </p>
      </form>
    </main>
  );
}

function Logo() {
  return <svg class="logo" viewBox="0 0 16 16" aria-hidden="true"><path d="M3 1v14M8 1v14M13 1v14M1 5h14M1 11h14" /></svg>;
}

const TITLES: Record<string, string> = Object.fromEntries(VIEWS.map((v) => [v.path, v.name]));

function Frame() {
  const [help, setHelp] = useState(false);
  const main = useRef<HTMLElement>(null);
  const { parts } = route.value;
  const view = parts[0] ?? '';
  useEffect(() => listenKeys(() => setHelp(true)), []);
  useEffect(() => {
    if (!view) go(to('topology'), 'replace');
    document.title = [...parts.slice(1).reverse(), TITLES[view], 'Heddle'].filter(Boolean).join(' · ');
  }, [parts.join('/')]);
  useEffect(() => { main.current?.scrollTo(0, 0); }, [view]);
  const admin = me.value!.admin;
  return (
    <div class="frame">
      <a class="skip" href="#main" onClick={(e) => { e.preventDefault(); main.current?.focus(); }}>Skip to the view</a>
      <nav aria-label="Views">
        <a class="brand" href={to('topology')} aria-label="Heddle, topology"><Logo /><span>Heddle</span></a>
        <ul>{VIEWS.filter((v) => admin || !v.admin).map((v) => (
          <li key={v.path}><a href={to(v.path)} aria-current={view === v.path ? 'page' : undefined} title={`${v.name} (g ${v.key})`}>
            <svg viewBox="0 0 16 16" aria-hidden="true"><path d={v.icon} /></svg><span>{v.name}</span><kbd aria-hidden="true">{v.key}</kbd>
          </a></li>
        ))}</ul>
        <Footer onHelp={() => setHelp(true)} />
      </nav>
      <main id="main" ref={main} tabIndex={-1}><View name={view} parts={parts} /></main>
      {help && <Help onClose={() => setHelp(false)} />}
    </div>
  );
}

function View({ name, parts }: { name: string; parts: string[] }) {
  switch (name) {
    case '': return null;
    case 'topology': return <TopologyView />;
    case 'flows': return <FlowsView host={parts[1] ?? ''} bridge={parts[2] ?? ''} />;
    case 'objects': return parts[2] ? <ObjectView kind={parts[1]} id={parts.slice(2).join('/')} /> : <Objects kind={parts[1] ?? 'port'} />;
    case 'explain': return <ExplainView />;
    case 'events': return <Events />;
    case 'history': return <HistoryView />;
    case 'macs': return <Macs />;
    case 'leases': return <Leases />;
    case 'hosts': return <Hosts />;
    case 'agents': return <Agents />;
    default: return <Empty title="There is no such view">The menu lists those there are; <a href={to('topology')}>the topology</a> is a good start.</Empty>;
  }
}

const CONNECTION = { connecting: 'connecting', live: 'live', polling: 'every 10 s', lost: 'connection lost' };

function Footer({ onHelp }: { onHelp: () => void }) {
  const who = me.value!;
  const next: Record<Theme, Theme> = { auto: 'dark', dark: 'light', light: 'auto' };
  return (
    <div class="foot">
      {who.admin && <Overview />}
      <p class={`connection ${connection.value}`} role="status"><span aria-hidden="true" />{CONNECTION[connection.value]}</p>
      <p class="who" title={who.admin ? 'sees everything' : `sees project ${who.project_id}`}>{who.auth === 'noauth' ? 'no login needed' : who.user}{who.admin ? '' : ` · ${who.project_id}`}</p>
      <div class="buttons">
        <button type="button" class="icon" aria-label={`Theme: ${theme.value}`} title={`Theme: ${theme.value}`} onClick={() => setTheme(next[theme.value])}>{{ auto: '◐', dark: '●', light: '○' }[theme.value]}</button>
        <button type="button" class="icon" aria-label="Help" title="Help (?)" onClick={onHelp}>?</button>
        {who.auth === 'token' && <button type="button" class="icon" aria-label="Log out" title="Log out" onClick={() => { me.value = null; setToken(''); }}>⏻</button>}
      </div>
    </div>
  );
}

function Overview() {
  const doc = useDocument<Status>('/v1/status', { concerns: (e) => /^(changed|host_|switch_|agent_|drift|reconcile_)/.test(e.kind) });
  const s = doc.data;
  if (!s) return null;
  return (
    <dl class="overview">
      <div><dt><a href={to('hosts')}>Hosts</a></dt><dd class={s.hosts.down.length ? 'bad' : ''}>{s.hosts.up}/{s.hosts.total} up</dd></div>
      <div><dt><a href={`${to('objects', 'port')}?only=bad`} title="those that are not well">Ports</a></dt><dd class={s.ports.BUILD ? 'warn' : ''}>{s.ports.ACTIVE ?? 0}/{s.counts.ports} active</dd></div>
      <div><dt><a href={`${to('events')}?kind=drift`}>Drift repaired</a></dt><dd>{s.drift.repaired}</dd></div>
      <div><dt><a href={to('history')}>Revision</a></dt><dd>{s.revision}</dd></div>
    </dl>
  );
}

function Help({ onClose }: { onClose: () => void }) {
  const ref = useRef<HTMLDialogElement>(null);
  useEffect(() => { ref.current?.showModal(); }, []);
  const keys: [string, string][] = [
    ['/', 'search'], ['↑ ↓ Home End', 'rows of a table'], ['Enter', 'open the row'], ['Esc', 'close, leave the search'], ['?', 'this help'],
    ...VIEWS.filter((v) => me.value?.admin || !v.admin).map((v): [string, string] => [`g ${v.key}`, v.name]),
  ];
  return (
    <dialog ref={ref} onClose={onClose} aria-labelledby="help-title">
      <header><h2 id="help-title">Keys and signs</h2><button type="button" class="icon" aria-label="Close" onClick={() => ref.current?.close()}>✕</button></header>
      <dl class="keys">{keys.map(([k, what]) => <div key={k}><dt><kbd>{k}</kbd></dt><dd>{what}</dd></div>)}</dl>
      <p class="dim">● is well, ▲ is not, ◆ is on its way or altered, ■ was learned, ○ is unknown or not Heddle's. The page shows what the server knows now: it follows the log of events, and reads counters of what you look at every few seconds.</p>
    </dialog>
  );
}
