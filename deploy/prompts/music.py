"""Composes the music on hold: a soft pad and a plucked arpeggio over four chords, 32 s, seamless as a loop.

    music.py OUT.flac

Every tail is written past the end into the beginning, so that the loop has no seam. Nothing sounds long on one steady
frequency: the pad drifts by a few cents and the plucks die away. Standard library and sox only.
"""

import array
import math
import random
import subprocess
import sys

RATE = 16000
BAR = 8 * RATE
BARS = 4
LEVEL_DBFS = -24.0
# A little above concert pitch: no note then lies within 10 Hz of the frequencies that telephone tests like.
A4 = 442.0

# Semitones from A4: low to high, one row a bar (D major 7, B minor 7, G major 7, A suspended to A).
PADS = [(-19, -12, -8, -3), (-22, -15, -10, -7), (-14, -10, -7, -2), (-17, -12, -10, -5)]
PLUCKS = [(-7, -3, 4, 5, 9, 5, 4, -3), (-10, -7, -3, 2, 5, 2, -3, -7), (-14, -7, -2, 2, 4, 2, -2, -7), (-12, -5, -3, 4, 7, 4, 2, -5)]


def frequency(semitones):
    return A4 * 2 ** (semitones / 12)


def pad(loop, start, semitones):
    """A slow swell of a bar and a half, drifting in pitch."""
    length, phase, turn = BAR * 3 // 2, 0.0, random.uniform(0, 2 * math.pi)
    base = frequency(semitones)
    for i in range(length):
        t = i / RATE
        phase += 2 * math.pi * base * (1 + 0.004 * math.sin(2 * math.pi * 0.31 * t + turn)) / RATE
        swell = math.sin(math.pi * i / length) ** 2
        wave = math.sin(phase) + 0.35 * math.sin(2 * phase + turn) + 0.12 * math.sin(3 * phase)
        loop[(start + i) % len(loop)] += 0.10 * swell * wave


def pluck(loop, start, semitones, loudness):
    """A string that dies away in a second, and its echo."""
    base = frequency(semitones)
    for delay, part in ((0, 1.0), (RATE * 3 // 8, 0.3)):
        for i in range(int(1.6 * RATE)):
            t = i / RATE
            fade = math.exp(-3.2 * t) * min(1.0, t / 0.006)
            wave = math.sin(2 * math.pi * base * t) + 0.4 * math.exp(-4 * t) * math.sin(4 * math.pi * base * t)
            loop[(start + delay + i) % len(loop)] += 0.16 * loudness * part * fade * wave


def compose():
    random.seed(6)
    loop = [0.0] * (BAR * BARS)
    for bar in range(BARS):
        for semitones in PADS[bar]:
            pad(loop, bar * BAR - BAR // 4, semitones)
        for beat in range(16):
            semitones = PLUCKS[bar][beat % 8]
            pluck(loop, bar * BAR + beat * BAR // 16, semitones, random.uniform(0.7, 1.0) * (1.0 if beat % 4 == 0 else 0.8))
    return loop


def main():
    loop = compose()
    level = math.sqrt(sum(s * s for s in loop) / len(loop))
    gain = 10 ** (LEVEL_DBFS / 20) / level * 32767
    assert max(map(abs, loop)) * gain < 20000, 'the music is too loud at its peaks'
    octets = array.array('h', [round(s * gain) for s in loop]).tobytes()
    raw = ['-t', 'raw', '-r', str(RATE), '-e', 'signed', '-b', '16', '-c', '1', '-']
    subprocess.run(['sox', '-D', '-V1', *raw, '-C', '8', sys.argv[1]], input=octets, check=True)


if __name__ == '__main__':
    main()
