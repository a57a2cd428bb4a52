import '../../styles/desk.css';
import { Hand } from './hand';
import { useKeys } from './keys';
import { People } from './people';
import { Callbacks, OwnFigures, OwnQueues } from './side';

export default function Desk() {
  useKeys();
  return (
    <div class="desk">
      <div class="column aside">
        <OwnQueues />
        <Callbacks />
        <OwnFigures />
      </div>
      <div class="column middle">
        <Hand />
      </div>
      <div class="column">
        <People />
      </div>
    </div>
  );
}
