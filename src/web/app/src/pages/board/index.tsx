import '../../styles/board.css';
import { Agents } from './agents';
import { Alerts } from './alerts';
import { Calls } from './calls';
import { Day } from './day';
import { Queues } from './queues';
import { OwnPhone } from './supervise';
import { Tiles } from './tiles';
import { TraceDialog } from './trace';

export default function Board() {
  return (
    <div class="board">
      <Tiles />
      <div class="split">
        <Queues />
        <Alerts />
      </div>
      <div class="split">
        <Agents />
        <div class="column">
          <OwnPhone />
          <Day />
        </div>
      </div>
      <Calls />
      <TraceDialog />
    </div>
  );
}
