"""A stand-in for alphacep's vosk-server, ours, for where the real one is not installed: the same messages in the same order
(config, binary PCM, eof; partial, result and text back, close after the last), with the real recogniser of the `vosk`
package. Arguments: the folder of the model. Prints the port that it listens on."""

import asyncio
import json
import sys

from vosk import KaldiRecognizer, Model, SetLogLevel
from websockets.asyncio.server import serve

SetLogLevel(-1)
model = Model(sys.argv[1])


async def converse(socket):
    recognizer, settings = None, {'sample_rate': 8000.0}
    async for message in socket:
        if isinstance(message, str) and 'config' in message:
            settings.update(json.loads(message)['config'])
            continue
        if recognizer is None:
            grammar = [json.dumps(settings['phrase_list'], ensure_ascii=False)] if 'phrase_list' in settings else []
            recognizer = KaldiRecognizer(model, float(settings['sample_rate']), *grammar)
            recognizer.SetWords(bool(settings.get('words', True)))
        if message == '{"eof" : 1}':
            await socket.send(recognizer.FinalResult())
            return
        ended = await asyncio.to_thread(recognizer.AcceptWaveform, message)
        await socket.send(recognizer.Result() if ended else recognizer.PartialResult())


async def main():
    async with serve(converse, '127.0.0.1', 0) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()


asyncio.run(main())
