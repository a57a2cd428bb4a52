// Hands on what the microphone hears, as it comes.
class Tap extends AudioWorkletProcessor {
  process(inputs) {
    const heard = inputs[0]?.[0];
    if (heard) this.port.postMessage(heard.slice());
    return true;
  }
}

registerProcessor('tap', Tap);
