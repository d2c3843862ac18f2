//! The options of `metrics`, `graph` and `tree`.

#[derive(Debug, clap::Args)]
pub(super) struct MetricsArgs {
    /// The metric to show, such as ping, freespace, pinqueue or tag:group; without one, the names of all
    #[arg(value_name = "NAME")]
    pub(super) name: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(super) struct GraphArgs {
    /// Draw it in the language of Graphviz, as for dot -Tpng
    #[arg(long, conflicts_with = "svg")]
    pub(super) dot: bool,
    /// Draw it as an SVG picture
    #[arg(long)]
    pub(super) svg: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct TreeArgs {
    /// A pin to show at each level
    #[arg(value_name = "CID", value_parser = super::args::cid)]
    pub(super) cid: Option<String>,
    /// Draw it as an SVG picture
    #[arg(long)]
    pub(super) svg: bool,
}
