#include "training/trainer.h"

#include "layers/softmax.h"

namespace limelight {

Trainer::Trainer(Transformer& model, const OptimizerSettings& settings)
    : model_(model),
      settings_(settings),
      optimizer_(model.layout(), settings.adamw),
      gradients_(model.layout().size()) {}

Trainer::StepResult Trainer::step(std::int64_t accumulate,
                                  const std::function<void(std::int64_t, Batch&)>& next_batch) {
  gradients_.fill_zero();
  double loss = 0;
  for (std::int64_t i = 0; i < accumulate; ++i) {
    next_batch(i, batch_);
    const double share = 1 / static_cast<double>(accumulate);
    loss += share * accumulate_gradients(batch_, share);
  }
  const double norm = global_norm(gradients_.span());
  const double clip = settings_.gradient_clip;
  // As PyTorch's clip_grad_norm_: the small constant keeps the quotient finite.
  const double scale = clip > 0 ? std::min(1.0, clip / (norm + 1e-6)) : 1.0;
  const double rate = settings_.learning_rate.at(steps_done());
  optimizer_.update(model_.parameters(), gradients_.span(), scale, rate);
  return {loss, norm, rate};
}

double Trainer::evaluate(const Batch& batch) {
  forward(batch);
  return mean_loss(batch, 0, nullptr);
}

double Trainer::accumulate_gradients(const Batch& batch, double scale) {
  forward(batch);
  const double tokens = static_cast<double>(batch.ids.size());
  const double loss = mean_loss(batch, static_cast<float>(scale / tokens), logits_.data());
  model_.backward(batch.ids, *activations_, logits_.data(), gradients_.span());
  return loss;
}

void Trainer::forward(const Batch& batch) {
  if (!activations_ || activations_->batch() != batch.batch ||
      activations_->length() != batch.length) {
    activations_ = std::make_unique<Activations>(model_.config(), batch.batch, batch.length,
                                                 /*keep_all_layers=*/true);
    const auto tokens = static_cast<std::size_t>(activations_->tokens());
    logits_ = AlignedBuffer<float>(tokens * static_cast<std::size_t>(model_.config().vocab_size));
    losses_ = AlignedBuffer<float>(tokens);
  }
  model_.forward(batch.ids, *activations_);
  model_.logits(activations_->ln_f(), activations_->tokens(), logits_.data());
}

double Trainer::mean_loss(const Batch& batch, float grad_scale, float* grad_logits) {
  cross_entropy(activations_->tokens(), model_.config().vocab_size, logits_.data(), batch.targets,
                grad_scale, losses_.data(), grad_logits);
  double sum = 0;
  for (const float loss : losses_) sum += loss;
  return sum / static_cast<double>(losses_.size());
}

}  // namespace limelight
