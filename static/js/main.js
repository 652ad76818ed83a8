// What every page runs. Each module stands alone and does nothing where its elements are missing;
// without any of them the pages work by plain links and forms.
import "./moments.js";
import "./ticker.js";
import "./guard.js";
import "./passkey.js";
import "./swaps.js";
import "./keys.js";
import "./live.js";
import "./notify.js";
