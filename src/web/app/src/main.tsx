import { render } from 'preact';
import './styles/tokens.css';
import './styles/base.css';
import './styles/parts.css';
import './styles/shell.css';
import { show } from './ui/theme';
import { App } from './app';

show();
render(<App />, document.getElementById('app') as HTMLElement);
