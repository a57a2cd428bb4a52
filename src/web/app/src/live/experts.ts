// The experts and whether they can be asked. A server that watches none has none to show.

export interface Expert {
  id: string;
  name: string;
  competence: string[];
  presence: 'free' | 'busy' | 'away' | 'unknown';
  /** When the source last said so; null when nothing was ever known. */
  heard_at: string | null;
  since: string;
  /** Within their hours. */
  open: boolean;
}

export async function readExperts(): Promise<{ experts: Expert[]; seq: number }> {
  const answer = await fetch('/api/v1/experts', { signal: AbortSignal.timeout(6_000) });
  if (answer.status === 404) return { experts: [], seq: Number.MAX_SAFE_INTEGER };
  if (!answer.ok) throw new Error(answer.statusText);
  return answer.json();
}
