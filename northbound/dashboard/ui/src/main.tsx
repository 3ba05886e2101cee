import { render } from 'preact';
import { App } from './shell';
import { start } from './router';
import { restoreTheme } from './theme';

restoreTheme();
start();
render(<App />, document.getElementById('app')!);
