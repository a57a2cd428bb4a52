import '../../styles/desk.css';
import '../../styles/talk.css';
import { Hand } from './hand';
import { useKeys } from './keys';
import { People } from './people';
import { Phone, usePhone } from './phone';
import { Callbacks, OwnFigures, OwnQueues } from './side';

export default function Desk() {
  useKeys();
  usePhone();
  return (
    <div class="desk">
      <div class="column aside">
        <Phone />
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
