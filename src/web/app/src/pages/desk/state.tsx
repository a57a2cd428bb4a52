// One's own state: what it is, for how long, and what it can become.
import { api } from '../../api/client';
import { t, word } from '../../i18n';
import { centre, me } from '../../live/store';
import { Icon } from '../../ui/icons';
import { Item, Menu, Since, State } from '../../ui/parts';
import { own } from './own';

const params = () => ({ path: { id: me.value?.agent ?? '' } });

export const goAvailable = () => api.POST('/agents/{id}/state', { params: params(), body: { state: 'available' } });
export const pause = (reason?: string) =>
  api.POST('/agents/{id}/state', { params: params(), body: { state: 'paused', ...(reason ? { reason } : {}) } });
export const wrapUpFor = (seconds: number) =>
  api.POST('/agents/{id}/state', { params: params(), body: { state: 'wrap_up', for_s: seconds } });
const leaveQueues = () => api.DELETE('/agents/{id}/state', { params: params() });

export const STATE_MENU = 'state-menu';

export function StateControl() {
  const agent = own.value;
  if (!agent) return null;
  const reasons = centre.value?.pause_reasons ?? [];
  return (
    <div class="state-control">
      <State state={agent.state} reason={agent.reason} />
      <Since at={agent.since} />
      <Menu id={STATE_MENU} label={t('state.change')} button={<><span>{t('state.change')}</span><Icon name="down" /></>}>
        <Item onDo={goAvailable}>{t('state.goAvailable')}</Item>
        {reasons.map((reason) => (
          <Item key={reason} onDo={() => pause(reason)}>
            {t('state.pause', { reason: word('reason', reason) })}
          </Item>
        ))}
        {reasons.length === 0 && <Item onDo={() => pause()}>{t('state.paused')}</Item>}
        <hr />
        <Item onDo={leaveQueues}>{t('state.logOut')}</Item>
      </Menu>
    </div>
  );
}
