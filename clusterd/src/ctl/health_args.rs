//! The options of `metrics` and `graph`.

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
