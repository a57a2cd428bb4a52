//! What the bots of a configuration understand, for those who drive plans without a call.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use crate::callbot::bot::Bot;
use crate::callbot::encoder::Encoder;
use crate::callbot::understanding::{Understanding, Understood};
use crate::config::Loaded;
use crate::config::bots::{Notebook, read_encoder};
use crate::dialplan::driver::Minds;
use crate::ids::Language;

/// The encoder that the configuration names; `warn` is told why there is none.
pub fn encoder(loaded: &Loaded, warn: fn(&str)) -> Option<Arc<Encoder>> {
    let folder = loaded.settings.sentence_encoder.as_ref()?;
    read_encoder(folder).map_err(|message| warn(&message)).ok()
}

/// What a bot understands; what it learns is kept, so that it is learnt once.
pub fn understanding(bot: &Bot, encoder: Option<Arc<Encoder>>, loaded: &Loaded) -> Understanding {
    Understanding::new(bot, encoder, Some(Arc::new(Notebook::of(&loaded.settings))))
}

/// What the bots understand; learnt when it is first asked for.
pub struct BotMinds<'l> {
    loaded: &'l Loaded,
    warn: fn(&str),
    encoder: OnceCell<Option<Arc<Encoder>>>,
    learnt: RefCell<BTreeMap<String, Rc<Understanding>>>,
}

impl<'l> BotMinds<'l> {
    /// `warn` is told where they understand less than they could.
    pub fn new(loaded: &'l Loaded, warn: fn(&str)) -> BotMinds<'l> {
        BotMinds { loaded, warn, encoder: OnceCell::new(), learnt: RefCell::default() }
    }
}

impl Minds for BotMinds<'_> {
    fn understand(&self, bot: &str, language: &Language, text: &str) -> Option<Understood> {
        let bot = &self.loaded.bots.iter().find(|described| described.bot.name == bot)?.bot;
        let learn = || {
            let encoder = self.encoder.get_or_init(|| encoder(self.loaded, self.warn)).clone();
            Rc::new(understanding(bot, encoder, self.loaded))
        };
        let learnt = self.learnt.borrow_mut().entry(bot.name.clone()).or_insert_with(learn).clone();
        Some(Understood::find(&*learnt, bot, language, text))
    }
}
